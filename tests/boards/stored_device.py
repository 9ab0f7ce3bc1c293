"""A device with memory in its flash's place, as `boards.top` makes it where memories can be filled."""

from amaranth.hdl import Module
from amaranth.lib import wiring

from hdl.stored_requests import StoredRequests


class StoredDevice(wiring.Component):
    """The ports of a device without a flash, around one that has it."""

    def __init__(self, device, requests):
        self._device, self._stored = device, StoredRequests(requests)
        super().__init__({name: port for name, port in device.signature.members.items() if name != "flash"})

    def elaborate(self, platform):
        m = Module()
        m.submodules.device = device = self._device
        m.submodules.stored = stored = self._stored
        wiring.connect(m, device.flash, stored.flash)
        m.d.comb += device.rx.eq(self.rx)
        for name in self.signature.members:
            if name != "rx":
                m.d.comb += getattr(self, name).eq(getattr(device, name))
        return m
