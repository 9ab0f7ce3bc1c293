// A simulated board whose clock runs only while its host waits, so that clock cycles can be counted.
//
// Commands come on standard input, answers go to standard output; numbers are little-endian, of 8 bytes:
//   w DELAY SIZE bytes   the bytes are sent to `rx`, one after the other, from DELAY cycles on at the earliest
//   r LIMIT              run until a byte 7E has come from `tx`, or LIMIT cycles; answer CYCLES SIZE bytes

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <string>
#include <utility>

#include "Vtop.h"
#include "verilated.h"

namespace {

constexpr int kBitCycles = DIVISOR;
constexpr uint8_t kFlag = 0x7E;

uint64_t number() {
    uint64_t value;
    if (std::fread(&value, sizeof value, 1, stdin) != 1) std::exit(0);
    return value;
}

}  // namespace

int main() {
    Vtop board;
    uint64_t cycles = 0;
    auto cycle = [&] {
        board.clk = 1;
        board.eval();
        board.clk = 0;
        board.eval();
        ++cycles;
    };
    board.clk = board.rst = 0;
    board.rx = 1;
    board.eval();
    for (int i = 0; i < POWER_ON_CYCLES; ++i) cycle();

    std::deque<std::pair<uint64_t, uint8_t>> waiting;  // bytes, and when they are there
    std::string came;
    uint32_t out = 0, in = 0;
    int out_bits = 0, out_left = 0, in_bits = 0, in_left = 0;
    for (int command; (command = std::getchar()) != EOF;) {
        if (command == 'w') {
            uint64_t from = cycles + number();
            for (uint64_t size = number(); size > 0; --size) waiting.emplace_back(from, std::getchar());
            continue;
        }
        bool ended = false;
        for (uint64_t limit = cycles + number(); cycles < limit && !ended;) {
            if (out_bits == 0 && !waiting.empty() && waiting.front().first <= cycles) {
                out = 0x200u | static_cast<uint32_t>(waiting.front().second) << 1;
                waiting.pop_front();
                out_bits = 10;
                out_left = kBitCycles;
            }
            board.rx = out_bits == 0 || (out & 1);
            if (out_bits > 0 && --out_left == 0) {
                out >>= 1;
                --out_bits;
                out_left = kBitCycles;
            }
            cycle();
            if (in_bits == 0) {
                if (board.tx) continue;
                in_bits = 10;
                in_left = kBitCycles / 2;
            }
            if (--in_left > 0) continue;
            in_left = kBitCycles;
            in = in >> 1 | static_cast<uint32_t>(board.tx) << 9;
            if (--in_bits == 0 && board.tx) {
                came.push_back(static_cast<char>(in >> 1));
                ended = static_cast<uint8_t>(came.back()) == kFlag;
            }
        }
        uint64_t head[2] = {cycles, came.size()};
        std::fwrite(head, sizeof head, 1, stdout);
        std::fwrite(came.data(), came.size(), 1, stdout);
        std::fflush(stdout);
        came.clear();
    }
    return 0;
}
