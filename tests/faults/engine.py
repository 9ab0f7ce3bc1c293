"""Faults in every unit of the engine; each is tried on the cheapest test that should notice."""

from tests.faults import Fault


def unit(name: str, *changes: tuple[str, str]) -> list[Fault]:
    """Faults of one file, tried on its own test."""
    return [Fault(f"hdl/{name}.py", old, new, f"tests/hdl/test_{name}.py") for old, new in changes]


def engine(name: str, *changes: tuple[str, str]) -> list[Fault]:
    """Faults of a file that only the whole engine can show."""
    tests = "'tests/hdl/test_engine.py::test_runs_edge_cases[one-pe]' tests/hdl/test_engine.py::test_recovers"
    return [Fault(f"hdl/{name}.py", old, new, tests) for old, new in changes]


LONG = "tests/hdl/test_engine.py::test_runs_columns_as_long_as_pointers_allow"

FAULTS = [
    *(
        Fault("hdl/layouts.py", "LENGTH_BITS + geometry.scan_width - 1", new, LONG)
        for new in ("LENGTH_BITS - 1", "LENGTH_BITS")
    ),
    Fault("hdl/layouts.py", '{"first_length": LENGTH_BITS}', '{"first_length": LENGTH_BITS - 1}', LONG),
    *unit(
        "stream_buffer",
        ("self.o.valid.eq(self.i.valid | spare_valid)", "self.o.valid.eq(self.i.valid)"),
        (
            "m.d.comb += self.i.ready.eq(~spare_valid)",
            "m.d.comb += self.i.ready.eq(~spare_valid | self.o.ready)",
        ),
        ("with m.Elif(self.i.valid & ~spare_valid):", "with m.Elif(self.i.valid):"),
        ("                spare_valid.eq(0),\n", ""),
    ),
    *unit(
        "activation_queue",
        ("self.i.ready.eq(level != depth)", "self.i.ready.eq((level != depth) | self.o.ready)"),
        ("Mux(pointer == depth - 1, 0, pointer + 1)", "pointer + 1"),
        ("level.eq(level + push - pop)", "level.eq(level + push)"),
        ("transparent_for=(write,)", "transparent_for=()"),
        ("next_head.eq(Mux(pop, after(head), head))", "next_head.eq(Mux(self.o.ready, after(head), head))"),
        ("self.o.valid.eq(level != 0)", "self.o.valid.eq(level > 1)"),
    ),
    *unit(
        "pointer_read",
        ("Mux(position > i, fields[i], Const(0, width))", "Mux(position >= i, fields[i], Const(0, width))"),
        ("Mux(short, place >> (3 - lane_bits), place >> (2 - lane_bits))", "place >> (3 - lane_bits)"),
        ("Cat(Const(0, lane_bits), active.place)", "active.place"),
        ("lengths.word_select(position | lane, width)", "lengths.word_select(position, width)"),
        ("base_held + offset + Mux(zero[0], length[0], 0)", "base_held + offset"),
        ("first = Mux(zero[0], 0, length[0])", "first = length[0]"),
        ("first + Mux(zero[1], 0, length[1])", "first + length[1]"),
        ("empty.eq(is_column & (item.column.length == 0)", "empty.eq((item.column.length == 0)"),
        ("address.eq(pointer_base + group)", "address.eq(group)"),
        ("read.en.eq(advance)", "read.en.eq(1)"),
        (
            "offset.eq(Mux(short, short_offset, long_offset))",
            "offset.eq(Mux(short, short_offset, long_offset)[:8])",
        ),
    ),
    *unit(
        "matrix_read",
        ("self.i.ready.eq(done & ~(settings & in_flight))", "self.i.ready.eq(done)"),
        ("final_entry.eq(position + column.length - 1)", "final_entry.eq(position + column.length)"),
        ("fetched.high.eq(Mux(last, high, last_entry))", "fetched.high.eq(last_entry)"),
        ("fetched.low.eq(Mux(first, low, 0))", "fetched.low.eq(low)"),
        ("with m.If(rows_left == 1):", "with m.If(rows_left == 2):"),
        ("address.eq(address + 1), remaining", "address.eq(address + first), remaining"),
        ("first_end.eq(position + column.first_length)", "first_end.eq(column.first_length)"),
        ("second.eq(column.length != column.first_length)", "second.eq(1)"),
        ("words_before.eq(words_before - 1)", "words_before.eq(0)"),
        ("passed.eq(passed | turns)", "passed.eq(0)"),
        ("Mux(turns, boundary, last_entry + 1)", "boundary"),
        ("read.en.eq(fetched_free)", "read.en.eq(1)"),
    ),
    Fault(
        "hdl/matrix_read.py",
        "done.eq(~valid | (fetched_free & last & (kind != Word.BIAS)))",
        "done.eq(~valid | (fetched_free & last))",
        "tests/hdl/test_matrix_read.py",
        equivalent="behind a Finish only a Layer can come, which waits for the End of the biases anyway",
    ),
    *unit(
        "weight_decode",
        ("row + one.weight", "row + 1"),
        ("Mux(one.fresh, 0, next_row)", "next_row"),
        ("pair.eq(~is_escape(follower) & (~at_end | back_valid))", "pair.eq(~at_end | back_valid)"),
        ("pair.eq(~is_escape(follower) & (~at_end | back_valid))", "pair.eq(~is_escape(follower) & ~at_end)"),
        ("with m.If(escape & ~(at_end & front.last)):", "with m.If(escape):"),
        ("finished.eq(Mux(pair & (back.high == 0), 2, 1))", "finished.eq(1)"),
        ("position.eq(Mux(pair & at_end, 1, back.low))", "position.eq(back.low)"),
        ("m.d.comb += finished.eq(stages_empty)", "m.d.comb += finished.eq(1)"),
        ("self.layer.codebook_base | one.index", "one.index"),
        ("front.entries.as_value().as_signed()", "front.entries.as_value()"),
        ("[:entry_bits][::-1]", "[:entry_bits]"),
        ("Mux(escape, run(entry) << run_bits, run(entry))", "run(entry)"),
        ("front.turns & (position == front.boundary)", "front.turns"),
        ("front.turns & (position == front.boundary)", "position == front.boundary"),
        ("with m.If(position >= front.boundary):", "with m.If(position > front.boundary):"),
        ("one.fresh.eq(fresh | turned)", "one.fresh.eq(fresh)"),
        ("bias_row.eq(bias_row + front.last)", "bias_row.eq(bias_row + 1)"),
        ("self.o.kind.eq(Operation.END), bias_row.eq(0)", "self.o.kind.eq(Operation.END)"),
    ),
    *unit(
        "arithmetic",
        ("Mux(one_before, next_written, old)", "old"),
        (
            "Mux(two_before, next_written, Mux(three_before, written, read.data))",
            "Mux(three_before, written, read.data)",
        ),
        ("Mux(three_before, written, read.data)", "read.data"),
        ("three_before = changes(four) & (four.row == one.row)", "three_before = changes(four)"),
        ("stage.valid & (stage.kind != Operation.READ) & ", "stage.valid & "),
        ("self.i.weight.as_signed() * self.i.activation", "self.i.weight * self.i.activation"),
        ("Mux(three.kind == Operation.DRAIN, 0, total)", "total"),
        ("with m.If(two.kind == Operation.SET):", "with m.If(two.kind == Operation.READ):"),
    ),
    *unit(
        "requantise",
        ("(fine >> 1) + fine[0]", "fine >> 1"),
        ("rounded > INT16_MAX", "rounded >= INT16_MAX"),
        ("(rounded < INT16_MIN) & ~self.relu", "(rounded < INT16_MIN)"),
        ("with m.Elif(too_low):", "with m.Elif(0):"),
        ("with m.If(too_high):", "with m.If(0):"),
        ("width = self._geometry.accumulator_bits + 1", "width = self._geometry.accumulator_bits"),
        ("range(1, 4)", "range(1, 3)"),
        ("negative & self.relu", "negative & ~self.relu"),
    ),
    *unit(
        "activation_file",
        (
            "Mux(source, written[1], written[0]) >= scan_slot",
            "Mux(source, written[1], written[0]) >= scan_slot - 1",
        ),
        ("Mux(self.destination, slots, 0) + slot", "Mux(self.destination, 0, slots) + slot"),
        ("self.scan.restart & (self.scan.source != file)", "(self.scan.source != file)"),
        ("self.scan.restart & (self.scan.source != file)", "self.scan.restart & (self.scan.source == file)"),
        ("slot.eq(self.destination_slot + self.result_row)", "slot.eq(self.result_row)"),
        ("activation > threshold", "activation >= threshold"),
        ("activation < -threshold", "activation < 0"),
        ("activation < -threshold", "activation <= -threshold"),
        ("word[lane].as_signed()", "word[lane]"),
        ("with m.If(self.threshold_valid):", "with m.If(self.scan_valid):"),
        ("self.o.payload.item.eq(above.as_value() != 0)", "self.o.payload.item.eq(above[0] != 0)"),
        ("self.o.payload.activations.eq(above)", "self.o.payload.activations.eq(word)"),
        ("self.o.payload.last.eq(1)", "self.o.payload.last.eq(remaining == 0)"),
        ("pending.eq(self.result_valid)", "pending.eq(self.result_valid | self.write_enable)"),
        ("read.en.eq(advance)", "read.en.eq(1)"),
    ),
    *unit(
        "nonzero_detection",
        ("heads[c].last & ~others", "~others"),
        ("heads[c].last & ~others", "heads[c].last"),
        ("others = has[c + 1:].any()", "others = has[c:].any()"),
        ("chosen | (row_ends & ~done[c])", "chosen | row_ends"),
        ("~row_ends & (done[c] |", "(done[c] |"),
        ("with m.If(~done[c] & ~self.i[c].valid):", "with m.If(~self.i[c].valid):"),
        ("stride *= FAN_IN", "stride += FAN_IN"),
        ("chosen = has[c] & ~has[:c].any()", "chosen = has[c]"),
    ),
    *unit(
        "broadcast",
        ("child.valid.eq(buffer.o.valid & ~served[c])", "child.valid.eq(buffer.o.valid)"),
        ("with m.If(buffer.o.valid & ~ready.all()):", "with m.If(~ready.all()):"),
        ("ready[c].eq(served[c] | child.ready)", "ready[c].eq(child.ready)"),
        ("buffer.o.ready.eq(ready.all())", "buffer.o.ready.eq(ready.any())"),
        ('if self._combine == "or" else', 'if self._combine == "and" else'),
        ("depth = levels(self._pes, FAN_OUT)", "depth = levels(self._pes, FAN_OUT) + 1"),
        ("while fan**count < pes:", "while fan**count <= pes:"),
    ),
    *unit(
        "control",
        ("~self.committed.bit_select(layer.bank, 1)", "~self.committed.any()"),
        ("refused = (index == 0) &", "refused = (index == 1) &"),
        ("final = (steps_left == 1) | faulted", "final = steps_left == 1"),
        ("Mux(phase, self.all_high, ~self.any_high)", "Mux(phase, self.any_high, ~self.all_high)"),
        (
            "needs_idle = (target == Memory.ACTIVATIONS) | (target == Memory.ACCUMULATORS)",
            "needs_idle = target == Memory.ACTIVATIONS",
        ),
        ("~self.clear & ~sweep & (idle | ~needs_idle)", "~sweep & (idle | ~needs_idle)"),
        ("~asking & ~self.read.valid", "~self.read.valid"),
        ("activation.place.eq(row_place + found.pe)", "activation.place.eq(found.pe)"),
        (
            "row_place.eq(row_place + geometry.pes)",
            "row_place.eq(row_place + geometry.pes * geometry.scan_width)",
        ),
        ('("activation", "second")[:geometry.scan_width]', '("activation",)'),
        ("self.tokens.ready | ~found.item", "self.tokens.ready"),
        ("self.tokens.valid & ~self.tokens.ready", "~self.tokens.ready"),
        ("idle & ~asking & ~self.answer_valid &", "idle & ~asking &"),
        ("(quiet == QUIET_CYCLES))", "(quiet != 0))"),
        ("self.banks | (1 << layer.bank)", "1 << layer.bank"),
        ("sweep_row == geometry.accumulators - 1", "sweep_row == geometry.accumulators - 2"),
        (
            '                        m.next = "Clear"\n        return m',
            "                        pass\n        return m",
        ),
        ("rows_left == 1", "rows_left == 0"),
        ("self.fault.eq(Fault.NONE),\n", ""),
        ("self.answer_valid | late |", "self.answer_valid |"),
    ),
    *unit(
        "processing_element",
        ("(self.write.pe == self.pe) | (self.write.pe == ALL_PES)", "(self.write.pe == self.pe)"),
        ("self.read_valid & (self.read.pe == self.pe)", "self.read_valid"),
        ("saturations + requantise.saturated", "saturations + (requantise.saturated & requantise.o[15])"),
        ("ended[1] & matrix_read.finish.final", "ended[1]"),
        ("matrix_read.settled.eq(ended[1])", "matrix_read.settled.eq(arithmetic.end)"),
        ("Mux(waiting[-1], answer, 0)", "answer"),
        ("requantise.relu.eq(matrix_read.drain.relu)", "requantise.relu.eq(1)"),
        ("buffer.o.ready & (token.kind == Token.POINTERS)", "buffer.o.ready & (token.kind == Token.SCAN)"),
        ("token.payload[:32]).threshold", "token.payload[:32]).pointer_base"),
        (
            "activation_file.destination_slot.eq(matrix_read.drain.destination_slot)",
            "activation_file.destination_slot.eq(0)",
        ),
        ("ResetInserter(self.clear)(m)", "m"),
    ),
    Fault(
        "hdl/engine.py",
        "ResetInserter(control.clear)(broadcast := Broadcast(geometry))",
        "(broadcast := Broadcast(geometry))",
        "tests/hdl/test_engine.py::test_recovers",
        equivalent="what is left in the tree runs out into the PEs while they are still held in reset",
    ),
    *engine(
        "engine",
        ("pe.clear.eq(bus.clear)", "pe.clear.eq(0)"),
        ('pes=pes, combine="and")', "pes=pes)"),
        ("pe.pe.eq(k)", "pe.pe.eq(k ^ 1)"),
        ("ResetInserter(self.reset)(control)", "control"),
        (
            "ResetInserter(control.clear)(detection := NonzeroDetection(geometry))",
            "(detection := NonzeroDetection(geometry))",
        ),
    ),
    *engine(
        "layouts",
        ('"pe": PE_BITS, "activations"', '"pe": PE_BITS - 7, "activations"'),
        ('"payload": 16 + activation_bits(geometry)', '"payload": 32'),
        ('"boundary": bits_for(geometry.word_entries)', '"boundary": position'),
        (
            '"row":        bits_for(geometry.accumulators - 1)',
            '"row":        bits_for(geometry.accumulators - 1) - 1',
        ),
        ("position = bits_for(geometry.word_entries - 1)", "position = 1"),
    ),
]
