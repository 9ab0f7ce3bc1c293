// Block RAM, multiplier and PLL of ECP5 for a simulation; Yosys' own models of them are empty.
//
// After Lattice FPGA-TN-02204 (memory) and FPGA-TN-02205 (DSP). What a cell is asked to do that is not
// modelled here ends the simulation with a message. Where silicon gives no promise, a read of a bit that
// the other port writes in the same cycle, the model gives the complement of the bit that is written, so that
// a design that relies on it fails.

module DP16KD #(
  parameter DATA_WIDTH_A = 18, DATA_WIDTH_B = 18, REGMODE_A = "NOREG", REGMODE_B = "NOREG",
  parameter RESETMODE = "SYNC", ASYNC_RESET_RELEASE = "SYNC", GSR = "ENABLED", INIT_DATA = "STATIC",
  parameter CSDECODE_A = "0b000", CSDECODE_B = "0b000",
  parameter WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL", CLKAMUX = "CLKA", CLKBMUX = "CLKB",
  parameter [319:0] INITVAL_00 = 0, INITVAL_01 = 0, INITVAL_02 = 0, INITVAL_03 = 0, INITVAL_04 = 0,
    INITVAL_05 = 0, INITVAL_06 = 0, INITVAL_07 = 0, INITVAL_08 = 0, INITVAL_09 = 0, INITVAL_0A = 0,
    INITVAL_0B = 0, INITVAL_0C = 0, INITVAL_0D = 0, INITVAL_0E = 0, INITVAL_0F = 0, INITVAL_10 = 0,
    INITVAL_11 = 0, INITVAL_12 = 0, INITVAL_13 = 0, INITVAL_14 = 0, INITVAL_15 = 0, INITVAL_16 = 0,
    INITVAL_17 = 0, INITVAL_18 = 0, INITVAL_19 = 0, INITVAL_1A = 0, INITVAL_1B = 0, INITVAL_1C = 0,
    INITVAL_1D = 0, INITVAL_1E = 0, INITVAL_1F = 0, INITVAL_20 = 0, INITVAL_21 = 0, INITVAL_22 = 0,
    INITVAL_23 = 0, INITVAL_24 = 0, INITVAL_25 = 0, INITVAL_26 = 0, INITVAL_27 = 0, INITVAL_28 = 0,
    INITVAL_29 = 0, INITVAL_2A = 0, INITVAL_2B = 0, INITVAL_2C = 0, INITVAL_2D = 0, INITVAL_2E = 0,
    INITVAL_2F = 0, INITVAL_30 = 0, INITVAL_31 = 0, INITVAL_32 = 0, INITVAL_33 = 0, INITVAL_34 = 0,
    INITVAL_35 = 0, INITVAL_36 = 0, INITVAL_37 = 0, INITVAL_38 = 0, INITVAL_39 = 0, INITVAL_3A = 0,
    INITVAL_3B = 0, INITVAL_3C = 0, INITVAL_3D = 0, INITVAL_3E = 0, INITVAL_3F = 0
) (
  input DIA0, DIA1, DIA2, DIA3, DIA4, DIA5, DIA6, DIA7, DIA8, DIA9, DIA10, DIA11, DIA12, DIA13, DIA14,
    DIA15, DIA16, DIA17, ADA0, ADA1, ADA2, ADA3, ADA4, ADA5, ADA6, ADA7, ADA8, ADA9, ADA10, ADA11, ADA12,
    ADA13,
  input CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
  output DOA0, DOA1, DOA2, DOA3, DOA4, DOA5, DOA6, DOA7, DOA8, DOA9, DOA10, DOA11, DOA12, DOA13, DOA14,
    DOA15, DOA16, DOA17,
  input DIB0, DIB1, DIB2, DIB3, DIB4, DIB5, DIB6, DIB7, DIB8, DIB9, DIB10, DIB11, DIB12, DIB13, DIB14,
    DIB15, DIB16, DIB17, ADB0, ADB1, ADB2, ADB3, ADB4, ADB5, ADB6, ADB7, ADB8, ADB9, ADB10, ADB11, ADB12,
    ADB13,
  input CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
  output DOB0, DOB1, DOB2, DOB3, DOB4, DOB5, DOB6, DOB7, DOB8, DOB9, DOB10, DOB11, DOB12, DOB13, DOB14,
    DOB15, DOB16, DOB17
);
  reg [17:0] memory [0:1023];
  localparam [20479:0] INITIAL = {
    INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39, INITVAL_38,
      INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30,
      INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28,
      INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24, INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20,
      INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C, INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18,
      INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10,
      INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A, INITVAL_09, INITVAL_08,
      INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00};
  integer word;
  initial
    for (word = 0; word < 1024; word = word + 1)
      memory[word] = INITIAL[20 * word +: 18];

  localparam WIDE_WRITE = DATA_WIDTH_A == 36, WIDE_READ = DATA_WIDTH_B == 36;

  wire [13:0] address_A = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1,
    ADA0};
  wire [17:0] in_A = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5,
    DIA4, DIA3, DIA2, DIA1, DIA0};
  wire [13:0] address_B = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1,
    ADB0};
  wire [17:0] in_B = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5,
    DIB4, DIB3, DIB2, DIB1, DIB0};

  // Which of the 18 bits of a word a port sees, moved to its lowest bits, and which bits a write changes.
  function [17:0] part(input integer width, input [13:0] address, input [17:0] from);
    case (width)
      1: part = from >> (9 * address[3] + address[2:0]) & 18'd1;
      2: part = from >> (9 * address[3] + 2 * address[2:1]) & 18'd3;
      4: part = from >> (9 * address[3] + 4 * address[2]) & 18'd15;
      9: part = address[3] ? from[17:9] : from[8:0];
      default: part = from;
    endcase
  endfunction
  function [17:0] mask(input integer width, input [13:0] address);
    case (width)
      1: mask = 18'd1 << (9 * address[3] + address[2:0]);
      2: mask = 18'd3 << (9 * address[3] + 2 * address[2:1]);
      4: mask = 18'd15 << (9 * address[3] + 4 * address[2]);
      9: mask = 18'h1ff << (9 * address[3]);
      default: mask = {{9{address[1]}}, {9{address[0]}}};
    endcase
  endfunction
  function [17:0] spread(input integer width, input [17:0] from);
    case (width)
      1: spread = {18{from[0]}};
      2: spread = {1'b0, {4{from[1:0]}}, 1'b0, {4{from[1:0]}}};
      4: spread = {1'b0, {2{from[3:0]}}, 1'b0, {2{from[3:0]}}};
      9: spread = {2{from[8:0]}};
      default: spread = from;
    endcase
  endfunction

  // A write of 36 bits through port A takes two words, the upper of them from port B's inputs.
  wire write_A = CEA & WEA & ~(CSA2 | CSA1 | CSA0), write_B = CEB & WEB & ~(CSB2 | CSB1 | CSB0);
  wire read_A = CEA & ~(CSA2 | CSA1 | CSA0), read_B = CEB & ~(CSB2 | CSB1 | CSB0);
  wire [9:0] row_A = {address_A[13:5], address_A[4] & ~WIDE_WRITE};
  wire [9:0] row_B = {address_B[13:5], address_B[4] & ~WIDE_READ};
  wire [17:0] mask_A = {18{write_A}} & mask(DATA_WIDTH_A, address_A);
  wire [17:0] mask_C = {18{write_A & WIDE_WRITE}} & {{9{address_A[3]}}, {9{address_A[2]}}};
  wire [17:0] mask_B = {18{write_B}} & mask(DATA_WIDTH_B, address_B);
  wire [17:0] data_A = spread(DATA_WIDTH_A, in_A), data_B = spread(DATA_WIDTH_B, in_B);
  always @(posedge CLKA) begin
    if (write_A) memory[row_A] <= memory[row_A] & ~mask_A | data_A & mask_A;
    if (write_A && WIDE_WRITE) memory[row_A | 10'd1] <= memory[row_A | 10'd1] & ~mask_C | in_B & mask_C;
    if (write_B) memory[row_B] <= memory[row_B] & ~mask_B | data_B & mask_B;
  end

  // What the other port writes at this moment is unknown to a reader.
  wire [17:0] hazard_A = row_A == row_B ? mask_B : 18'd0;
  wire [17:0] seen_A = memory[row_A] & ~hazard_A | ~data_B & hazard_A;
  function [17:0] seen_B(input [9:0] row);
    reg [17:0] low, high;
    begin
      low = row == row_A ? mask_A : 18'd0;
      high = row == (row_A | 10'd1) ? mask_C : 18'd0;
      seen_B = memory[row] & ~low & ~high | ~data_A & low | ~in_B & high;
    end
  endfunction
  reg [17:0] found_A = 0, found_B = 0, upper_B = 0, held_A = 0, held_B = 0, held_upper = 0;
  always @(posedge CLKA)
    if (RSTA) found_A <= 0;
    else if (read_A && !WIDE_WRITE)
      if (!WEA || WRITEMODE_A == "READBEFOREWRITE") found_A <= part(DATA_WIDTH_A, address_A, seen_A);
      else if (WRITEMODE_A == "WRITETHROUGH")
        found_A <= part(DATA_WIDTH_A, address_A, memory[row_A] & ~mask_A | data_A & mask_A);
  always @(posedge CLKB)
    if (RSTB) {found_B, upper_B} <= 0;
    else if (read_B)
      if (!WEB || WRITEMODE_B == "READBEFOREWRITE") begin
        found_B <= part(DATA_WIDTH_B, address_B, seen_B(row_B));
        upper_B <= seen_B(row_B | 10'd1);
      end else if (WRITEMODE_B == "WRITETHROUGH")
        found_B <= part(DATA_WIDTH_B, address_B, memory[row_B] & ~mask_B | data_B & mask_B);
  always @(posedge CLKA)
    if (RSTA) held_A <= 0;
    else if (OCEA) held_A <= found_A;
  always @(posedge CLKB)
    if (RSTB) {held_B, held_upper} <= 0;
    else if (OCEB) {held_B, held_upper} <= {found_B, upper_B};

  wire [17:0] out_A = REGMODE_A == "OUTREG" ? held_A : found_A;
  wire [17:0] out_B = REGMODE_B == "OUTREG" ? held_B : found_B;
  wire [17:0] out_upper = REGMODE_B == "OUTREG" ? held_upper : upper_B;
  assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3,
    DOA2, DOA1, DOA0} = WIDE_READ ? out_B : out_A;
  assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3,
    DOB2, DOB1, DOB0} = WIDE_READ ? out_upper : out_B;

  localparam UNKNOWN = CSDECODE_A != "0b000" || CSDECODE_B != "0b000" || CLKAMUX != "CLKA"
    || CLKBMUX != "CLKB" || (WIDE_READ && REGMODE_A != REGMODE_B);
  always @(posedge CLKB)
    if (UNKNOWN || !CLKA || (WIDE_READ && WEB) || (RESETMODE != "SYNC" && (RSTA || RSTB))) begin
      $display("simulation: a DP16KD is used in a way that its model does not know");
      $finish;
    end
endmodule

// The same memory with names of its own: the write is 36 bits wide, and a read of 36 bits shows its halves
// exchanged, as the output pins of both ports are numbered from B.
module PDPW16KD #(
  parameter DATA_WIDTH_W = 36, DATA_WIDTH_R = 36, REGMODE = "NOREG", RESETMODE = "SYNC",
  parameter ASYNC_RESET_RELEASE = "SYNC", GSR = "ENABLED", INIT_DATA = "STATIC",
  parameter CSDECODE_W = "0b000", CSDECODE_R = "0b000", CLKWMUX = "CLKW", CLKRMUX = "CLKR",
  parameter [319:0] INITVAL_00 = 0, INITVAL_01 = 0, INITVAL_02 = 0, INITVAL_03 = 0, INITVAL_04 = 0,
    INITVAL_05 = 0, INITVAL_06 = 0, INITVAL_07 = 0, INITVAL_08 = 0, INITVAL_09 = 0, INITVAL_0A = 0,
    INITVAL_0B = 0, INITVAL_0C = 0, INITVAL_0D = 0, INITVAL_0E = 0, INITVAL_0F = 0, INITVAL_10 = 0,
    INITVAL_11 = 0, INITVAL_12 = 0, INITVAL_13 = 0, INITVAL_14 = 0, INITVAL_15 = 0, INITVAL_16 = 0,
    INITVAL_17 = 0, INITVAL_18 = 0, INITVAL_19 = 0, INITVAL_1A = 0, INITVAL_1B = 0, INITVAL_1C = 0,
    INITVAL_1D = 0, INITVAL_1E = 0, INITVAL_1F = 0, INITVAL_20 = 0, INITVAL_21 = 0, INITVAL_22 = 0,
    INITVAL_23 = 0, INITVAL_24 = 0, INITVAL_25 = 0, INITVAL_26 = 0, INITVAL_27 = 0, INITVAL_28 = 0,
    INITVAL_29 = 0, INITVAL_2A = 0, INITVAL_2B = 0, INITVAL_2C = 0, INITVAL_2D = 0, INITVAL_2E = 0,
    INITVAL_2F = 0, INITVAL_30 = 0, INITVAL_31 = 0, INITVAL_32 = 0, INITVAL_33 = 0, INITVAL_34 = 0,
    INITVAL_35 = 0, INITVAL_36 = 0, INITVAL_37 = 0, INITVAL_38 = 0, INITVAL_39 = 0, INITVAL_3A = 0,
    INITVAL_3B = 0, INITVAL_3C = 0, INITVAL_3D = 0, INITVAL_3E = 0, INITVAL_3F = 0
) (
  input DI0, DI1, DI2, DI3, DI4, DI5, DI6, DI7, DI8, DI9, DI10, DI11, DI12, DI13, DI14, DI15, DI16, DI17,
    DI18, DI19, DI20, DI21, DI22, DI23, DI24, DI25, DI26, DI27, DI28, DI29, DI30, DI31, DI32, DI33, DI34,
    DI35, ADW0, ADW1, ADW2, ADW3, ADW4, ADW5, ADW6, ADW7, ADW8, BE0, BE1, BE2, BE3,
  input CEW, CLKW, CSW0, CSW1, CSW2, ADR0, ADR1, ADR2, ADR3, ADR4, ADR5, ADR6, ADR7, ADR8, ADR9, ADR10,
    ADR11, ADR12, ADR13, CER, OCER, CLKR, CSR0, CSR1, CSR2, RST,
  output DO0, DO1, DO2, DO3, DO4, DO5, DO6, DO7, DO8, DO9, DO10, DO11, DO12, DO13, DO14, DO15, DO16, DO17,
    DO18, DO19, DO20, DO21, DO22, DO23, DO24, DO25, DO26, DO27, DO28, DO29, DO30, DO31, DO32, DO33, DO34,
    DO35
);
  DP16KD #(
    .DATA_WIDTH_A(36), .DATA_WIDTH_B(DATA_WIDTH_R), .REGMODE_A(REGMODE), .REGMODE_B(REGMODE),
    .RESETMODE(RESETMODE), .CSDECODE_A(CSDECODE_W), .CSDECODE_B(CSDECODE_R),
    .CLKAMUX(CLKWMUX == "CLKW" ? "CLKA" : "INV"), .CLKBMUX(CLKRMUX == "CLKR" ? "CLKB" : "INV"),
    .INITVAL_00(INITVAL_00), .INITVAL_01(INITVAL_01), .INITVAL_02(INITVAL_02), .INITVAL_03(INITVAL_03),
      .INITVAL_04(INITVAL_04), .INITVAL_05(INITVAL_05), .INITVAL_06(INITVAL_06), .INITVAL_07(INITVAL_07),
      .INITVAL_08(INITVAL_08), .INITVAL_09(INITVAL_09), .INITVAL_0A(INITVAL_0A), .INITVAL_0B(INITVAL_0B),
      .INITVAL_0C(INITVAL_0C), .INITVAL_0D(INITVAL_0D), .INITVAL_0E(INITVAL_0E), .INITVAL_0F(INITVAL_0F),
      .INITVAL_10(INITVAL_10), .INITVAL_11(INITVAL_11), .INITVAL_12(INITVAL_12), .INITVAL_13(INITVAL_13),
      .INITVAL_14(INITVAL_14), .INITVAL_15(INITVAL_15), .INITVAL_16(INITVAL_16), .INITVAL_17(INITVAL_17),
      .INITVAL_18(INITVAL_18), .INITVAL_19(INITVAL_19), .INITVAL_1A(INITVAL_1A), .INITVAL_1B(INITVAL_1B),
      .INITVAL_1C(INITVAL_1C), .INITVAL_1D(INITVAL_1D), .INITVAL_1E(INITVAL_1E), .INITVAL_1F(INITVAL_1F),
      .INITVAL_20(INITVAL_20), .INITVAL_21(INITVAL_21), .INITVAL_22(INITVAL_22), .INITVAL_23(INITVAL_23),
      .INITVAL_24(INITVAL_24), .INITVAL_25(INITVAL_25), .INITVAL_26(INITVAL_26), .INITVAL_27(INITVAL_27),
      .INITVAL_28(INITVAL_28), .INITVAL_29(INITVAL_29), .INITVAL_2A(INITVAL_2A), .INITVAL_2B(INITVAL_2B),
      .INITVAL_2C(INITVAL_2C), .INITVAL_2D(INITVAL_2D), .INITVAL_2E(INITVAL_2E), .INITVAL_2F(INITVAL_2F),
      .INITVAL_30(INITVAL_30), .INITVAL_31(INITVAL_31), .INITVAL_32(INITVAL_32), .INITVAL_33(INITVAL_33),
      .INITVAL_34(INITVAL_34), .INITVAL_35(INITVAL_35), .INITVAL_36(INITVAL_36), .INITVAL_37(INITVAL_37),
      .INITVAL_38(INITVAL_38), .INITVAL_39(INITVAL_39), .INITVAL_3A(INITVAL_3A), .INITVAL_3B(INITVAL_3B),
      .INITVAL_3C(INITVAL_3C), .INITVAL_3D(INITVAL_3D), .INITVAL_3E(INITVAL_3E), .INITVAL_3F(INITVAL_3F)
  ) memory (
    .ADA0(BE0), .ADA1(BE1), .ADA2(BE2), .ADA3(BE3), .ADA4(1'b0), .ADA5(ADW0), .ADA6(ADW1), .ADA7(ADW2),
      .ADA8(ADW3), .ADA9(ADW4), .ADA10(ADW5), .ADA11(ADW6), .ADA12(ADW7), .ADA13(ADW8),
    .ADB0(ADR0), .ADB1(ADR1), .ADB2(ADR2), .ADB3(ADR3), .ADB4(ADR4), .ADB5(ADR5), .ADB6(ADR6), .ADB7(ADR7),
      .ADB8(ADR8), .ADB9(ADR9), .ADB10(ADR10), .ADB11(ADR11), .ADB12(ADR12), .ADB13(ADR13),
    .DIA0(DI0), .DIA1(DI1), .DIA2(DI2), .DIA3(DI3), .DIA4(DI4), .DIA5(DI5), .DIA6(DI6), .DIA7(DI7),
      .DIA8(DI8), .DIA9(DI9), .DIA10(DI10), .DIA11(DI11), .DIA12(DI12), .DIA13(DI13), .DIA14(DI14),
      .DIA15(DI15), .DIA16(DI16), .DIA17(DI17), .DIB0(DI18), .DIB1(DI19), .DIB2(DI20), .DIB3(DI21),
      .DIB4(DI22), .DIB5(DI23), .DIB6(DI24), .DIB7(DI25), .DIB8(DI26), .DIB9(DI27), .DIB10(DI28),
      .DIB11(DI29), .DIB12(DI30), .DIB13(DI31), .DIB14(DI32), .DIB15(DI33), .DIB16(DI34), .DIB17(DI35),
    .DOA0(DO18), .DOA1(DO19), .DOA2(DO20), .DOA3(DO21), .DOA4(DO22), .DOA5(DO23), .DOA6(DO24), .DOA7(DO25),
      .DOA8(DO26), .DOA9(DO27), .DOA10(DO28), .DOA11(DO29), .DOA12(DO30), .DOA13(DO31), .DOA14(DO32),
      .DOA15(DO33), .DOA16(DO34), .DOA17(DO35), .DOB0(DO0), .DOB1(DO1), .DOB2(DO2), .DOB3(DO3), .DOB4(DO4),
      .DOB5(DO5), .DOB6(DO6), .DOB7(DO7), .DOB8(DO8), .DOB9(DO9), .DOB10(DO10), .DOB11(DO11), .DOB12(DO12),
      .DOB13(DO13), .DOB14(DO14), .DOB15(DO15), .DOB16(DO16), .DOB17(DO17),
    .CLKA(CLKW), .CEA(CEW), .OCEA(1'b0), .WEA(1'b1), .RSTA(1'b0), .CSA0(CSW0), .CSA1(CSW1), .CSA2(CSW2),
    .CLKB(CLKR), .CEB(CER), .OCEB(OCER), .WEB(1'b0), .RSTB(RST), .CSB0(CSR0), .CSB1(CSR1), .CSB2(CSR2));
endmodule

// A multiplier with a register, or none, at each input, behind the product, and at the output.
module MULT18X18D #(
  parameter REG_INPUTA_CLK = "NONE", REG_INPUTA_CE = "CE0", REG_INPUTA_RST = "RST0",
  parameter REG_INPUTB_CLK = "NONE", REG_INPUTB_CE = "CE0", REG_INPUTB_RST = "RST0",
  parameter REG_INPUTC_CLK = "NONE", REG_INPUTC_CE = "CE0", REG_INPUTC_RST = "RST0",
  parameter REG_PIPELINE_CLK = "NONE", REG_PIPELINE_CE = "CE0", REG_PIPELINE_RST = "RST0",
  parameter REG_OUTPUT_CLK = "NONE", REG_OUTPUT_CE = "CE0", REG_OUTPUT_RST = "RST0",
  parameter CLK0_DIV = "ENABLED", CLK1_DIV = "ENABLED", CLK2_DIV = "ENABLED", CLK3_DIV = "ENABLED",
  parameter HIGHSPEED_CLK = "NONE", GSR = "ENABLED", CAS_MATCH_REG = "FALSE", SOURCEB_MODE = "B_SHIFT",
  parameter MULT_BYPASS = "DISABLED", RESETMODE = "SYNC"
) (
  input A0, A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14, A15, A16, A17, B0, B1, B2, B3, B4,
    B5, B6, B7, B8, B9, B10, B11, B12, B13, B14, B15, B16, B17, C0, C1, C2, C3, C4, C5, C6, C7, C8, C9, C10,
    C11, C12, C13, C14, C15, C16, C17,
  input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB, CLK0, CLK1, CLK2, CLK3,
  input CE0, CE1, CE2, CE3, RST0, RST1, RST2, RST3,
  output P0, P1, P2, P3, P4, P5, P6, P7, P8, P9, P10, P11, P12, P13, P14, P15, P16, P17, P18, P19, P20, P21,
    P22, P23, P24, P25, P26, P27, P28, P29, P30, P31, P32, P33, P34, P35
);
  wire [18:0] in_a = {SIGNEDA & A17, A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2,
    A1, A0};
  wire [18:0] in_b = {SIGNEDB & B17, B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2,
    B1, B0};
  reg signed [18:0] held_a = 0, held_b = 0;
  reg [35:0] held_pipeline = 0, held_output = 0;
  wire signed [18:0] a = REG_INPUTA_CLK == "NONE" ? in_a : held_a;
  wire signed [18:0] b = REG_INPUTB_CLK == "NONE" ? in_b : held_b;
  wire signed [37:0] product = a * b;
  wire [35:0] pipeline = REG_PIPELINE_CLK == "NONE" ? product[35:0] : held_pipeline;
  assign {P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18, P17,
    P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0} = REG_OUTPUT_CLK == "NONE" ?
    pipeline : held_output;
  function enabled(input [23:0] name);
    enabled = name == "CE0" ? CE0 : name == "CE1" ? CE1 : name == "CE2" ? CE2 : CE3;
  endfunction
  function cleared(input [31:0] name);
    cleared = name == "RST0" ? RST0 : name == "RST1" ? RST1 : name == "RST2" ? RST2 : RST3;
  endfunction
  always @(posedge CLK0) begin
    if (cleared(REG_INPUTA_RST)) held_a <= 0; else if (enabled(REG_INPUTA_CE)) held_a <= in_a;
    if (cleared(REG_INPUTB_RST)) held_b <= 0; else if (enabled(REG_INPUTB_CE)) held_b <= in_b;
    if (cleared(REG_PIPELINE_RST)) held_pipeline <= 0;
    else if (enabled(REG_PIPELINE_CE)) held_pipeline <= product[35:0];
    if (cleared(REG_OUTPUT_RST)) held_output <= 0; else if (enabled(REG_OUTPUT_CE)) held_output <= pipeline;
  end

  function known(input [31:0] clock);
    known = clock == "NONE" || clock == "CLK0";
  endfunction
  localparam KNOWN = known(REG_INPUTA_CLK) && known(REG_INPUTB_CLK) && known(REG_PIPELINE_CLK)
    && known(REG_OUTPUT_CLK) && MULT_BYPASS == "DISABLED" && CAS_MATCH_REG == "FALSE" && RESETMODE == "SYNC";
  always @*
    if (!KNOWN || SOURCEA || SOURCEB) begin
      $display("simulation: a MULT18X18D is used in a way that its model does not know");
      $finish;
    end
endmodule

// The buffer in front of a global wire; its enable is not modelled.
module DCCA (input CLKI, output CLKO);
  assign CLKO = CLKI;
endmodule

// A PLL whose outputs are its input: the simulated world counts clock cycles, and its clock is the engine's.
module EHXPLLL #(
  parameter CLKI_DIV = 1, CLKFB_DIV = 1, CLKOP_DIV = 8, CLKOS_DIV = 8, CLKOS2_DIV = 8, CLKOS3_DIV = 8,
  parameter CLKOP_ENABLE = "DISABLED", CLKOP_CPHASE = 0, CLKOP_FPHASE = 0,
  parameter CLKOS_ENABLE = "DISABLED", CLKOS_CPHASE = 0, CLKOS_FPHASE = 0,
  parameter CLKOS2_ENABLE = "DISABLED", CLKOS2_CPHASE = 0, CLKOS2_FPHASE = 0,
  parameter CLKOS3_ENABLE = "DISABLED", CLKOS3_CPHASE = 0, CLKOS3_FPHASE = 0,
  parameter FEEDBK_PATH = "CLKOP"
) (
  input CLKI, CLKFB, RST, STDBY, PHASESEL1, PHASESEL0, PHASEDIR, PHASESTEP, PHASELOADREG, PLLWAKESYNC,
  input ENCLKOP, ENCLKOS, ENCLKOS2, ENCLKOS3,
  output CLKOP, CLKOS, CLKOS2, CLKOS3, LOCK, INTLOCK, REFCLK, CLKINTFB
);
  assign {CLKOP, CLKOS, CLKOS2, CLKOS3, REFCLK, CLKINTFB} = {6{CLKI}};
  assign {LOCK, INTLOCK} = {2{~RST}};
endmodule
