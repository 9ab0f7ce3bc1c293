// The engine alone: obeys commands on standard input, one clock cycle for each word it is given.
//
// Every command is a letter and little-endian fields; the answer follows on standard output.
//   Z                                          reset; wait until idle
//   W memory u8, pe u16, address u16, count u32, count x u64     write words
//   R memory u8, pe u16, address u16, count u32 -> count x u64   read words
//   C mask u8                                  which banks are committed
//   G first u8, count u16, limit u32 -> u32 fault, cycles, stalls, done   run steps, at most `limit` cycles

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "Vtop.h"
#include "verilated.h"

namespace {

constexpr uint64_t kPatience = 1000000;

template <typename T>
T take() {
    T value;
    if (std::fread(&value, sizeof value, 1, stdin) != 1) std::exit(0);
    return value;
}

template <typename T>
void give(T value) {
    std::fwrite(&value, sizeof value, 1, stdout);
}

class Engine {
public:
    Engine() : top_(&context_) {
        top_.rst = 1;
        cycle();
        top_.rst = 0;
        settle();
    }

    void reset() {
        top_.reset = 1;
        cycle();
        top_.reset = 0;
        settle();
    }

    void write(uint64_t memory, uint64_t pe, uint64_t address, uint64_t data) {
        const unsigned __int128 word =
            memory | pe << 3 | (unsigned __int128)address << 19 | (unsigned __int128)data << 35;
        for (int i = 0; i < 3; i++) top_.write___05Fpayload[i] = uint32_t(word >> 32 * i);
        top_.write___05Fvalid = 1;
        transfer(top_.write___05Fready);
        top_.write___05Fvalid = 0;
    }

    uint64_t read(uint64_t memory, uint64_t pe, uint64_t address) {
        top_.read___05Fpayload = memory | pe << 3 | address << 19;
        top_.read___05Fvalid = 1;
        transfer(top_.read___05Fready);
        top_.read___05Fvalid = 0;
        top_.data___05Fready = 1;
        uint64_t word = 0;
        transfer(top_.data___05Fvalid, [&] { word = top_.data___05Fpayload; });
        top_.data___05Fready = 0;
        return word;
    }

    void commit(uint8_t mask) { top_.committed = mask; }

    bool run(uint32_t first, uint32_t count, uint32_t limit) {
        top_.run___05Fpayload = first | count << 8;
        top_.run___05Fvalid = 1;
        transfer(top_.run___05Fready);
        top_.run___05Fvalid = 0;
        top_.eval();
        while (top_.busy && limit--) cycle();
        return !top_.busy;
    }

    Vtop& top() { return top_; }

private:
    void cycle() {
        top_.clk = 0;
        top_.eval();
        top_.clk = 1;
        top_.eval();
    }

    template <typename Signal>
    void transfer(const Signal& flag) {
        transfer(flag, [] {});
    }

    // Clock until the flag is high in the same cycle, then once more: the transfer itself.
    template <typename Signal, typename Look>
    void transfer(const Signal& flag, Look look) {
        for (uint64_t i = 0; i < kPatience; i++) {
            top_.clk = 0;
            top_.eval();
            const bool done = flag;
            if (done) look();
            top_.clk = 1;
            top_.eval();
            if (done) return;
        }
        std::fprintf(stderr, "the engine does not answer\n");
        std::exit(1);
    }

    void settle() {
        cycle();
        for (uint64_t i = 0; top_.busy && i < kPatience; i++) cycle();
    }

    VerilatedContext context_;
    Vtop top_;
};

}  // namespace

int main() {
    Engine engine;
    for (;;) {
        const char command = take<char>();
        if (command == 'Z') {
            engine.reset();
        } else if (command == 'W' || command == 'R') {
            const auto memory = take<uint8_t>();
            const auto pe = take<uint16_t>();
            const auto address = take<uint16_t>();
            const auto count = take<uint32_t>();
            for (uint32_t i = 0; i < count; i++) {
                if (command == 'W')
                    engine.write(memory, pe, address + i, take<uint64_t>());
                else
                    give(engine.read(memory, pe, address + i));
            }
        } else if (command == 'C') {
            engine.commit(take<uint8_t>());
        } else if (command == 'G') {
            const auto first = take<uint8_t>();
            const auto count = take<uint16_t>();
            const auto limit = take<uint32_t>();
            const uint32_t done = engine.run(first, count, limit);
            give<uint32_t>(engine.top().fault);
            give<uint32_t>(engine.top().cycles);
            give<uint32_t>(engine.top().stalls);
            give(done);
        } else {
            std::fprintf(stderr, "unknown command %d\n", command);
            return 1;
        }
        std::fflush(stdout);
    }
}
