"""Loading of device images: a transaction that ends in a commit, or in nothing."""

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out

from golden import memories
from golden.image import BANKED, bank_range
from golden.memories import Memory
from golden.protocol import WHOLE
from hdl.layouts import write_layout

WRITABLE = [memory for memory in Memory if memory != Memory.COUNTERS]


def loader_signature(geometry):
    """The loader as whoever feeds it sees it."""
    return wiring.Signature({
        "open":        Out(1),
        "bank":        Out(2),
        "length":      Out(32),
        "crc":         Out(32),
        "image":       Out(stream.Signature(8)),
        "commit":      Out(1),
        "reset":       Out(1),
        "pending":     In(1),
        "acceptable":  In(1),
        "transaction": In(1),
        "failed":      In(1),
        "received":    In(32),
        "committed":   In(2),
        "crc_bank0":   In(32),
        "crc_bank1":   In(32),
        "words":       In(stream.Signature(write_layout(geometry))),
    })


class Loader(wiring.Component):
    """Takes an image byte by byte, writes its words to the engine, and vouches for the whole at the end.

    `open` opens a transaction, or restarts the open one, and forgets what the bank held; loading one
    half after a whole image forgets both, as the other half alone means nothing. The image's sections
    (`golden.image`) are written as they come. `commit` closes the transaction; the bank counts as
    committed if the image was `acceptable`: length and CRC as announced, no section cut off, and only
    words that the bank has. From the first word that it has not, nothing more is written until the next
    `open`.

    Latency: a word is offered 1 cycle after its last byte; throughput one byte per cycle if the engine
    takes words as fast.

    Parameters
    ----------
    geometry : golden.geometry.Geometry
        Which words exist.

    Members
    -------
    open : In(1)
        Open a transaction for `bank` (2: everything), of `length` bytes with CRC-32 `crc`.
    image : In(stream)
        Bytes of the image; ignored while no transaction is open.
    commit : In(1)
        Close the transaction. To be given while nothing is `pending`.
    reset : In(1)
        Forget transaction and commits.
    pending : Out(1)
        A word waits for the engine.
    acceptable : Out(1)
        The image so far could be committed.
    transaction : Out(1)
        A transaction is open.
    received : Out(32)
        Bytes taken in this transaction.
    committed : Out(2)
        Banks that may be run.
    crc_bank0, crc_bank1 : Out(32)
        CRC of the image that was last committed for a bank.
    failed : Out(1)
        The last commit was refused, and nothing has begun since.
    words : Out(stream of `write_layout`)
        Words for the engine; bits above a word's width mean nothing.
    """

    def __init__(self, geometry):
        self._geometry = geometry
        super().__init__(loader_signature(geometry).flip())

    def elaborate(self, platform):
        m = Module()
        geometry = self._geometry
        crc = CRC32_ISO_HDLC().create()
        m.submodules.crc = ResetInserter(self.open)(crc)   # smaller than its own `start`

        bank = Signal(2)
        length = Signal(32)
        expected = Signal(32)
        whole = Signal()            # what is committed came as one image
        # Header of the section.
        memory = Signal(8)
        word_bytes = Signal(8)
        pe = Signal(16)
        address = Signal(17)        # of the word that comes next; one bit more, lest it start again from 0
        count = Signal(16)          # words still to come

        in_words = Signal()         # the next byte belongs to a word, not to a header
        place = Signal(3)           # of the next byte in its word or header
        judge = Signal()            # the header is complete since this cycle
        legal = Signal()
        inside = Signal()
        bad = Signal()
        word = Signal(data.ArrayLayout(8, -(-geometry.data_bits // 8)))
        take = Signal()
        leave = Signal()

        with m.Switch(memory):
            for known in WRITABLE:
                with m.Case(known):
                    m.d.comb += [
                        legal.eq((word_bytes == memories.word_bytes(geometry, known))
                                 & ((pe < geometry.pes) | (pe == memories.ALL_PES) | (known == Memory.STEPS))
                                 & ((bank == WHOLE) | (known in BANKED)) & (count != 0)),
                        inside.eq(self._inside(known, bank, address)),
                    ]
        m.d.comb += [
            self.words.valid.eq(self.pending & inside & ~bad),
            self.words.payload.memory.eq(memory),
            self.words.payload.pe.eq(pe),
            self.words.payload.address.eq(address),
            self.words.payload.data.eq(word),
            leave.eq(self.pending & (self.words.ready | ~self.words.valid)),
            self.image.ready.eq(~self.pending | leave),
            take.eq(self.image.valid & self.image.ready & self.transaction),
            crc.data.eq(self.image.payload),
            crc.valid.eq(take),
        ]

        m.d.sync += judge.eq(0)
        with m.If((judge & ~legal) | (self.pending & ~inside)):
            m.d.sync += bad.eq(1)
        with m.If(leave):
            m.d.sync += [self.pending.eq(0), address.eq(address + 1)]
        with m.If(take):
            m.d.sync += [self.received.eq(self.received + 1), place.eq(place + 1)]
        with m.If(take & in_words):
            m.d.sync += word[place].eq(self.image.payload)
            with m.If(place + 1 == word_bytes):
                m.d.sync += [place.eq(0), self.pending.eq(1), count.eq(count - 1), in_words.eq(count != 1)]
        with m.Elif(take):
            fields = Cat(memory, word_bytes, pe, address[:16], count)
            m.d.sync += fields.word_select(place, 8).eq(self.image.payload)
            with m.If(place == 7):
                m.d.sync += [in_words.eq(1), judge.eq(1), address[16].eq(0)]

        m.d.comb += self.acceptable.eq((self.received == length) & (crc.crc == expected) & ~bad
                                       & ~in_words & (place == 0))
        with m.If(self.commit & self.transaction):
            m.d.sync += [self.transaction.eq(0), self.failed.eq(~self.acceptable)]
            with m.If(self.acceptable):
                m.d.sync += [
                    self.committed.eq(Mux(bank == WHOLE, 0b11, self.committed | (1 << bank[0]))),
                    whole.eq(bank == WHOLE),
                ]
                with m.If(bank != 1):
                    m.d.sync += self.crc_bank0.eq(expected)
                with m.If(bank != 0):
                    m.d.sync += self.crc_bank1.eq(expected)
        kept = Mux(whole | (self.bank == WHOLE), 0, Cat(self.bank[0], ~self.bank[0]))
        with m.If(self.open):
            m.d.sync += [
                bank.eq(self.bank),
                length.eq(self.length),
                expected.eq(self.crc),
                self.transaction.eq(1),
                self.received.eq(0),
                self.committed.eq(self.committed & kept),
                whole.eq(0),
                self.failed.eq(0),
                self.pending.eq(0),
                in_words.eq(0),
                judge.eq(0),
                place.eq(0),
                bad.eq(0),
            ]
        with m.If(self.reset):
            m.d.sync += [
                self.transaction.eq(0),
                self.failed.eq(0),
                self.committed.eq(0),
                self.pending.eq(0),
            ]
        return m

    def _inside(self, memory, bank, address):
        """Whether a bank owns an address of a memory."""
        def within(bank):
            owned = bank_range(self._geometry, memory, bank)
            return (address >= owned.start) & (address < owned.stop)

        return Mux(bank == WHOLE, within(WHOLE), Mux(bank[0], within(1), within(0)))
