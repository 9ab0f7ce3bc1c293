"""What a device replies to each request, by the words of `golden.protocol`, for benches of the link."""

import zlib
from dataclasses import dataclass, field

from golden import activations, coded, protocol
from golden.errors import InputError
from golden.geometry import Geometry
from golden.image import BANKED, SECTION, bank_range, sections, words_to_bytes
from golden.memories import ALL_PES, Memory, depth, word_bytes
from golden.protocol import WHOLE, Capability, Code, Identity, Request, Status
from tests.hdl.engine_model import EngineModel

Reply = tuple[Code, bytes]
DONE: Reply = (Code.OK, b"")
SIZES = {
    Request.BEGIN: protocol.BEGIN.size,
    Request.RUN: protocol.RUN.size,
    Request.READ: protocol.PLACE.size,
    Request.OUTPUTS: protocol.PLACE.size,
}
LEAST = {
    Request.DATA: protocol.DATA.size,
    Request.ACTIVATIONS: protocol.ACTIVATIONS.size,
    Request.INFER: protocol.PLACE.size,
    Request.CODED: protocol.CODED.size,
    Request.TABLE: protocol.TABLE.size,
}


@dataclass
class LinkReference:
    """State of a device, as far as requests change it. The engine's words come from its model."""

    geometry: Geometry
    clock_hz: int
    payload_limit: int
    window: int
    engine: EngineModel
    busy: bool = False
    banks: int = 0
    committed: int = 0
    whole: bool = False
    transaction: bool = False
    bank: int = 0
    crc: int = 0
    image: bytes = b""
    split: bool = False
    """A piece of the image ended within a header or a word."""
    crcs: list[int] = field(default_factory=lambda: [0, 0])
    run: int = 0xFFFF
    fault: int = 0
    step: int = 0
    cycles: int = 0
    stalls: int = 0
    counters: list[int] = field(default_factory=lambda: [0, 0, 0])
    decodes: bool = False
    """It takes loads in code."""
    table: coded.Table = field(default_factory=coded.Table)

    def reply(self, kind: int, payload: bytes) -> Reply:
        """Code and payload of the reply to an intact request."""
        try:
            request = Request(kind)
        except ValueError:
            return Code.UNKNOWN_REQUEST, b""
        if request in (Request.CODED, Request.TABLE) and not self.decodes:
            return Code.UNKNOWN_REQUEST, b""
        if len(payload) < LEAST.get(request, 0):
            return Code.BAD_LENGTH, b""
        if request not in LEAST and len(payload) != SIZES.get(request, 0):
            return Code.BAD_LENGTH, b""
        return getattr(self, f"_{request.name.lower()}")(payload)

    def status(self) -> Status:
        """Status as it is now."""
        return Status(
            int(self.busy),
            self.fault,
            self.committed,
            int(self.transaction),
            self.run,
            self.step,
            len(self.image),
            *self.crcs,
            self.cycles,
            self.stalls,
            *self.counters,
        )

    def _identify(self, payload: bytes) -> Reply:
        identity = Identity(
            protocol.VERSION,
            self.payload_limit,
            self.window,
            self.clock_hz,
            self.geometry,
            self.status(),
            Capability.CODED_LOADS if self.decodes else 0,
        )
        return Code.OK, identity.encode()

    def _status(self, payload: bytes) -> Reply:
        return Code.OK, protocol.STATUS.pack(*self.status())

    def _begin(self, payload: bytes) -> Reply:
        bank, crc = protocol.BEGIN.unpack(payload)
        if bank > WHOLE:
            return Code.OUT_OF_RANGE, b""
        if self.busy and (bank == WHOLE or self.banks >> bank & 1):
            return Code.BUSY, b""
        self.committed = 0 if self.whole or bank == WHOLE else self.committed & ~(1 << bank)
        self.whole = False
        self.transaction, self.bank, self.crc, self.image, self.split = True, bank, crc, b"", False
        return DONE

    def _data(self, payload: bytes) -> Reply:
        (offset,) = protocol.DATA.unpack_from(payload)
        return self._take(offset, 0, payload[protocol.DATA.size :])

    def _coded(self, payload: bytes) -> Reply:
        offset, count = protocol.CODED.unpack_from(payload)
        return self._take(offset, count, payload[protocol.CODED.size :])

    def _take(self, offset: int, count: int, data: bytes) -> Reply:
        if not self.transaction:
            return Code.NO_TRANSACTION, b""
        if offset > len(self.image):
            return Code.OFFSET_GAP, protocol.RECEIVED.pack(len(self.image))
        if offset == len(self.image):
            if count:
                data, sound = self.table.decode(data, count)
                if not sound:
                    self.transaction = False
                    self.image += data
                    return Code.BAD_CODE, b""
            self.image += data
            self.split |= cut(self.image)
        return Code.OK, protocol.RECEIVED.pack(len(self.image))

    def _table(self, payload: bytes) -> Reply:
        return self.table.write(payload), b""

    def _commit(self, payload: bytes) -> Reply:
        if not self.transaction:
            return Code.NO_TRANSACTION, b""
        self.transaction = False
        if self.split or zlib.crc32(self.image) != self.crc:
            return Code.BAD_IMAGE, b""
        try:
            list(sections(self.image, self.geometry, self.bank))
        except InputError:
            return Code.BAD_IMAGE, b""
        for bank in (0, 1) if self.bank == WHOLE else (self.bank,):
            self.committed |= 1 << bank
            self.crcs[bank] = self.crc
        self.whole = self.bank == WHOLE
        return DONE

    def _activations(self, payload: bytes) -> Reply:
        if self.busy:
            return Code.BUSY, b""
        return self._written(payload), b""

    def _written(self, payload: bytes) -> Code:
        """Code of a reply to values, for which the engine is idle."""
        if len(payload) <= protocol.ACTIVATIONS.size:
            return Code.BAD_LENGTH
        form, pe, address = protocol.ACTIVATIONS.unpack_from(payload)
        if not form & activations.ACROSS:
            return Code.OK
        try:
            values = activations.decode_form(payload[protocol.ACTIVATIONS.size :], form)
        except ValueError:
            return Code.BAD_LENGTH
        size = word_bytes(self.geometry, Memory.ACTIVATIONS)
        beyond = self._beyond(Memory.ACTIVATIONS, size, pe, address, len(values), across=True)
        return Code.BAD_LENGTH if beyond else Code.OK

    def _infer(self, payload: bytes) -> Reply:
        place, rest = payload[: protocol.PLACE.size], payload[protocol.PLACE.size :]
        code, outputs = self._outputs(place)
        if code != Code.OK:
            return code, b""
        if len(rest) < protocol.STEPS.size:
            return Code.BAD_LENGTH, b""
        code = self._written(rest[protocol.STEPS.size :])
        first, last = protocol.STEPS.unpack_from(rest)
        if code == Code.OK and not self.committed:
            code = Code.NOT_COMMITTED
        if code == Code.OK and not first <= last < self.geometry.steps:
            code = Code.OUT_OF_RANGE
        if code != Code.OK:
            return code, b""
        if self.fault:
            return Code.NOT_COMMITTED, b""
        return Code.OK, protocol.OUTCOME.pack(self.cycles, self.stalls) + outputs

    def _outputs(self, payload: bytes) -> Reply:
        memory, size, pe, address, count = place = protocol.PLACE.unpack(payload)
        if self.busy:
            return Code.BUSY, b""
        if self._beyond(*place, across=True) or 1 + size * count > self.payload_limit:
            return Code.OUT_OF_RANGE, b""
        places = [divmod(address * self.geometry.pes + pe + i, self.geometry.pes) for i in range(count)]
        words = [self.engine.word(Memory(memory), k, slot) for slot, k in places]
        return Code.OK, words_to_bytes(words, size)

    def _beyond(self, code: int, size: int, pe: int, address: int, count: int, *, across: bool) -> bool:
        """Whether one of the words does not exist, or they may not be reached that way."""
        if code not in set(Memory) or not count or (across and code != Memory.ACTIVATIONS):
            return True
        memory = Memory(code)
        rows = (pe + count - 1) // self.geometry.pes + 1 if across else count
        return (
            size != word_bytes(self.geometry, memory)
            or (pe >= self.geometry.pes and memory != Memory.STEPS)
            or address + rows > depth(self.geometry, memory)
        )

    def _run(self, payload: bytes) -> Reply:
        number, first, last = protocol.RUN.unpack(payload)
        if number == self.run:
            return DONE
        if self.busy:
            return Code.BUSY, b""
        if not self.committed:
            return Code.NOT_COMMITTED, b""
        if not first <= last < self.geometry.steps:
            return Code.OUT_OF_RANGE, b""
        self.run, self.busy = number, True
        return DONE

    def _read(self, payload: bytes) -> Reply:
        memory, size, pe, address, count = place = protocol.PLACE.unpack(payload)
        if self.busy:
            return Code.BUSY, b""
        if self._beyond(*place, across=False) or 1 + size * count > self.payload_limit:
            return Code.OUT_OF_RANGE, b""
        words = [self.engine.word(Memory(memory), pe, address + i) for i in range(count)]
        return Code.OK, words_to_bytes(words, size)

    def _reset(self, payload: bytes) -> Reply:
        self.busy, self.banks, self.committed, self.transaction, self.run = False, 0, 0, False, 0xFFFF
        self.counters = [0, 0, 0]
        return DONE


def cut(image: bytes) -> bool:
    """Whether an image ends within a header or a word."""
    position = 0
    while position < len(image):
        if len(image) < position + SECTION.size:
            return True
        _, size, _, _, count = SECTION.unpack_from(image, position)
        position += SECTION.size
        if position + size * count > len(image):
            return bool((len(image) - position) % size)
        position += size * count
    return False


def words_of(image: bytes, geometry: Geometry, bank: int) -> list[tuple[Memory, int, int, int]]:
    """Writes that a device makes of an image: of all sections before the first that is not the bank's."""
    writes: list[tuple[Memory, int, int, int]] = []
    position = 0
    while position + SECTION.size <= len(image):
        code, size, pe, address, count = SECTION.unpack_from(image, position)
        position += SECTION.size
        if code not in set(Memory) or code == Memory.COUNTERS or (bank != WHOLE and code not in BANKED):
            break
        memory = Memory(code)
        known = pe < geometry.pes or pe == ALL_PES or memory == Memory.STEPS
        if size != word_bytes(geometry, memory) or not known or not count:
            break
        owned = bank_range(geometry, memory, bank)
        if bank == 1:  # of an odd number of words, a device counts the last one to the upper half
            owned = range(owned.start, depth(geometry, memory))
        if address not in owned or address + count > owned.stop:
            break
        for i in range(count):
            word = image[position : position + size]
            if len(word) == size:
                target = 0 if memory == Memory.STEPS else pe
                writes.append((memory, target, address + i, int.from_bytes(word, "little")))
            position += size
    return writes
