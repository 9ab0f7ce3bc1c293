// The world around a simulated board: a clock, a reset button, and a serial cable to a pseudo-terminal.
//
// It knows the pins of the design and nothing of the protocol. Bytes that a client writes to the
// pseudo-terminal are shifted into `rx` bit by bit, and what the design shifts out on `tx` is written back.
// While nothing moves on the pins the simulation sleeps; simulated time stands still then.
//
//   SIGINT, SIGTERM   end, exit code 0
//   SIGUSR1           press the reset button
//   --flash FILE      what the SPI flash holds, from address 0 on; a board that was built with one needs it
//   --lifeline        end when standard input reaches its end, so that no board outlives its owner
//   --verbose         report the simulation's speed on standard error at the end
//   +NAME=VALUE       for the design, which may ask for it with $value$plusargs

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/select.h>
#include <termios.h>
#include <unistd.h>

#include "Vtop.h"
#include "verilated.h"

namespace {

constexpr int kBitCycles = DIVISOR;    // clock cycles per serial bit, given by the build
constexpr int kSliceCycles = 256;      // cycles between two looks at the pseudo-terminal
constexpr int kQuietCycles = 1 << 14;  // cycles without a moving pin after which the design is at rest
constexpr int kResetCycles = 16;
constexpr int kPowerOnCycles = POWER_ON_CYCLES;

volatile sig_atomic_t stopped = 0;
volatile sig_atomic_t reset_pressed = 0;

void on_stop(int) { stopped = 1; }
void on_reset(int) { reset_pressed = 1; }

[[noreturn]] void fail(const char *what) {
    std::fprintf(stderr, "simulated board: %s: %s\n", what, std::strerror(errno));
    std::exit(1);
}

// Shifts bytes into a receive pin: a start bit, eight data bits from the least significant, a stop bit.
class Sender {
public:
    bool idle() const { return bits_left_ == 0 && at_ == bytes_.size(); }
    void take(const char *data, size_t size) {
        if (at_ == bytes_.size()) { bytes_.clear(); at_ = 0; }
        bytes_.append(data, size);
    }
    bool wants_bytes() const { return bytes_.size() - at_ < 4096; }
    bool pin() {
        if (bits_left_ == 0) {
            if (at_ == bytes_.size()) return true;
            shift_ = 0x200u | static_cast<uint8_t>(bytes_[at_++]) << 1;
            bits_left_ = 10;
            cycles_left_ = kBitCycles;
        }
        bool level = shift_ & 1;
        if (--cycles_left_ == 0) {
            shift_ >>= 1;
            --bits_left_;
            cycles_left_ = kBitCycles;
        }
        return level;
    }

private:
    std::string bytes_;
    size_t at_ = 0;
    uint32_t shift_ = 0;
    int bits_left_ = 0;
    int cycles_left_ = 0;
};

// Reads bytes from a transmit pin, sampling each bit in its middle; a bad stop bit drops the byte.
class Receiver {
public:
    bool idle() const { return bits_left_ == 0; }
    std::string bytes;
    void sample(bool level) {
        if (bits_left_ == 0) {
            if (level) return;
            bits_left_ = 10;
            cycles_left_ = kBitCycles / 2;
        }
        if (--cycles_left_ > 0) return;
        cycles_left_ = kBitCycles;
        shift_ = shift_ >> 1 | static_cast<uint32_t>(level) << 9;
        if (--bits_left_ == 0 && level) bytes.push_back(static_cast<char>(shift_ >> 1));
    }

private:
    uint32_t shift_ = 0;
    int bits_left_ = 0;
    int cycles_left_ = 0;
};

// The controlling end of a raw pseudo-terminal. The client's end is held open here as well, so that a
// client may go and another come without the terminal hanging up in between.
class Terminal {
public:
    Terminal() {
        controller_ = posix_openpt(O_RDWR | O_NOCTTY);
        if (controller_ < 0 || grantpt(controller_) || unlockpt(controller_)) fail("no pseudo-terminal");
        const char *name = ptsname(controller_);
        if (!name) fail("no pseudo-terminal");
        path = name;
        client_ = open(name, O_RDWR | O_NOCTTY);
        termios mode;
        if (client_ < 0 || tcgetattr(client_, &mode)) fail(name);
        cfmakeraw(&mode);
        if (tcsetattr(client_, TCSANOW, &mode)) fail(name);
        fcntl(controller_, F_SETFL, fcntl(controller_, F_GETFL) | O_NONBLOCK);
    }
    std::string path;
    int descriptor() const { return controller_; }
    void read_into(Sender &sender) {
        char data[1024];
        ssize_t size = read(controller_, data, sizeof data);
        if (size > 0) sender.take(data, static_cast<size_t>(size));
    }
    // Bytes that nobody fetches are lost once the terminal is full, as on a cable.
    void write_from(std::string &bytes) {
        for (size_t sent = 0; sent < bytes.size();) {
            ssize_t size = write(controller_, bytes.data() + sent, bytes.size() - sent);
            if (size <= 0) break;
            sent += static_cast<size_t>(size);
        }
        bytes.clear();
    }

private:
    int controller_ = -1;
    int client_ = -1;
};

#ifdef FLASH
// An SPI flash in mode 0 that knows how to read (command 03 and an address of three bytes).
class Flash {
public:
    explicit Flash(const char *path) {
        std::FILE *file = std::fopen(path, "rb");
        if (!file) fail(path);
        char data[4096];
        for (size_t size; (size = std::fread(data, 1, sizeof data, file)) > 0;) content_.append(data, size);
        std::fclose(file);
    }
    // What its output is after a clock cycle in which its inputs were these.
    bool output(bool selected, bool clock, bool command) {
        if (!selected) {
            bits_ = 0;
            output_ = true;
        } else if (clock && !clock_) {
            if (bits_ < 32) command_ = command_ << 1 | static_cast<uint32_t>(command);
            ++bits_;
        } else if (!clock && clock_ && bits_ >= 32 && command_ >> 24 == 0x03) {
            size_t bit = bits_ - 32, at = (command_ & 0xFFFFFF) + bit / 8;
            uint8_t byte = at < content_.size() ? static_cast<uint8_t>(content_[at]) : 0xFF;
            output_ = byte >> (7 - bit % 8) & 1;
        }
        clock_ = clock;
        return output_;
    }

private:
    std::string content_;
    uint64_t bits_ = 0;
    uint32_t command_ = 0;
    bool clock_ = false;
    bool output_ = true;
};
#endif

// Sleeps until a byte, a signal or the end of the lifeline comes.
void sleep_until_something(int terminal, bool lifeline, const sigset_t &awake) {
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(terminal, &readable);
    if (lifeline) FD_SET(STDIN_FILENO, &readable);
    if (pselect(terminal + 1, &readable, nullptr, nullptr, nullptr, &awake) > 0 && lifeline
        && FD_ISSET(STDIN_FILENO, &readable)) {
        char ignored[64];
        if (read(STDIN_FILENO, ignored, sizeof ignored) <= 0) stopped = 1;
    }
}

bool lifeline_cut(bool lifeline) {
    if (!lifeline) return false;
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(STDIN_FILENO, &readable);
    timeval now = {0, 0};
    char ignored[64];
    return select(STDIN_FILENO + 1, &readable, nullptr, nullptr, &now) > 0
        && read(STDIN_FILENO, ignored, sizeof ignored) <= 0;
}

}  // namespace

int main(int argc, char **argv) {
    bool lifeline = false, verbose = false;
    const char *flash_path = nullptr;
    for (int i = 1; i < argc; ++i) {
        if (!std::strcmp(argv[i], "--lifeline")) lifeline = true;
        else if (!std::strcmp(argv[i], "--verbose")) verbose = true;
        else if (!std::strcmp(argv[i], "--flash") && i + 1 < argc) flash_path = argv[++i];
        else if (argv[i][0] == '+') continue;
        else {
            std::fprintf(stderr, "usage: %s [--lifeline] [--verbose] [--flash FILE] [+NAME=VALUE]\n", argv[0]);
            return 2;
        }
    }

    // Signals arrive only while sleeping or between slices, never between a test and the sleep after it.
    sigset_t handled, awake;
    sigemptyset(&handled);
    struct sigaction action = {};
    action.sa_handler = on_stop;
    for (int number : {SIGINT, SIGTERM, SIGHUP}) {
        sigaction(number, &action, nullptr);
        sigaddset(&handled, number);
    }
    action.sa_handler = on_reset;
    sigaction(SIGUSR1, &action, nullptr);
    sigaddset(&handled, SIGUSR1);
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_BLOCK, &handled, &awake);

    Terminal terminal;
    Sender sender;
    Receiver receiver;
    VerilatedContext context;
    context.commandArgs(argc, argv);
    Vtop board(&context);
    board.clk = 0;
    board.rst = 0;
    board.rx = 1;
    board.eval();
#ifdef FLASH
    if (!flash_path) { std::fprintf(stderr, "simulated board: --flash is missing\n"); return 2; }
    Flash flash(flash_path);
    auto around = [&board, &flash] {
        board.flash_data = flash.output(board.flash_select, board.flash_clock, board.flash_command);
    };
    auto reading = [&board] { return board.flash_select; };
#else
    if (flash_path) { std::fprintf(stderr, "simulated board: it has no flash\n"); return 2; }
    auto around = [] {};
    auto reading = [] { return false; };
#endif
    auto cycle = [&board, &around] {
        board.clk = 1;
        board.eval();
        around();
        board.clk = 0;
        board.eval();
    };
    for (int i = 0; i < kPowerOnCycles; ++i) cycle();  // the reset at power-on is over before the first byte

    std::printf("%s\n", terminal.path.c_str());
    std::fflush(stdout);

    uint64_t cycles = 0;
    std::chrono::duration<double> awake_time{0};
    auto woken = std::chrono::steady_clock::now();
    int reset_left = 0;
    int quiet = 0;
    for (uint64_t slice = 0; !stopped && !context.gotFinish(); ++slice) {
        if (sender.wants_bytes()) terminal.read_into(sender);
        for (int i = 0; i < kSliceCycles; ++i) {
            bool moving = !sender.idle() || !receiver.idle() || !board.tx || board.computing || reset_left || reading();
            quiet = moving ? 0 : quiet + 1;
            board.rst = reset_left > 0;
            reset_left -= reset_left > 0;
            board.rx = sender.pin();
            cycle();
            receiver.sample(board.tx);
        }
        cycles += kSliceCycles;
        if (!receiver.bytes.empty()) terminal.write_from(receiver.bytes);
        if (quiet >= kQuietCycles) {
            awake_time += std::chrono::steady_clock::now() - woken;
            sleep_until_something(terminal.descriptor(), lifeline, awake);
            woken = std::chrono::steady_clock::now();
            quiet = 0;
        } else if (slice % 64 == 0) {
            sigset_t blocked;
            sigprocmask(SIG_SETMASK, &awake, &blocked);  // handlers of waiting signals run here
            sigprocmask(SIG_SETMASK, &blocked, nullptr);
            if (lifeline_cut(lifeline)) break;
        }
        if (reset_pressed) {
            reset_pressed = 0;
            reset_left = kResetCycles;
        }
    }
    awake_time += std::chrono::steady_clock::now() - woken;
    board.final();
    if (verbose) {
        std::fprintf(stderr, "%llu cycles in %.2f s, %.0f cycles/s\n", static_cast<unsigned long long>(cycles),
                     awake_time.count(), static_cast<double>(cycles) / awake_time.count());
    }
    return 0;
}
