// DP16KD of ECP5 as we use it: port A writes, port B reads, with its output register or without.
module DP16KD(
    input ADA0, input ADA1, input ADA2, input ADA3, input ADA4, input ADA5, input ADA6, input ADA7,
    input ADA8, input ADA9, input ADA10, input ADA11, input ADA12, input ADA13, input DIA0, input DIA1,
    input DIA2, input DIA3, input DIA4, input DIA5, input DIA6, input DIA7, input DIA8, input DIA9,
    input DIA10, input DIA11, input DIA12, input DIA13, input DIA14, input DIA15, input DIA16, input DIA17,
    input CSA0, input CSA1, input CSA2, input CLKA, input CEA, input OCEA, input WEA, input RSTA,
    input ADB0, input ADB1, input ADB2, input ADB3, input ADB4, input ADB5, input ADB6, input ADB7,
    input ADB8, input ADB9, input ADB10, input ADB11, input ADB12, input ADB13, input DIB0, input DIB1,
    input DIB2, input DIB3, input DIB4, input DIB5, input DIB6, input DIB7, input DIB8, input DIB9,
    input DIB10, input DIB11, input DIB12, input DIB13, input DIB14, input DIB15, input DIB16, input DIB17,
    input CSB0, input CSB1, input CSB2, input CLKB, input CEB, input OCEB, input WEB, input RSTB,
    output DOA0, output DOA1, output DOA2, output DOA3, output DOA4, output DOA5, output DOA6, output DOA7,
    output DOA8, output DOA9, output DOA10, output DOA11, output DOA12, output DOA13, output DOA14,
    output DOA15, output DOA16, output DOA17, output DOB0, output DOB1, output DOB2, output DOB3,
    output DOB4, output DOB5, output DOB6, output DOB7, output DOB8, output DOB9, output DOB10,
    output DOB11, output DOB12, output DOB13, output DOB14, output DOB15, output DOB16, output DOB17
);
    parameter DATA_WIDTH_A = 18, DATA_WIDTH_B = 18, REGMODE_A = "NOREG", REGMODE_B = "NOREG";
    parameter WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL", RESETMODE = "SYNC";
    parameter ASYNC_RESET_RELEASE = "SYNC", CSDECODE_A = "0b000", CSDECODE_B = "0b000", GSR = "ENABLED";
    parameter CLKAMUX = "CLKA", CLKBMUX = "CLKB";
    localparam WIDTH = DATA_WIDTH_A, BYTES = WIDTH == 36 ? 4 : WIDTH == 18 ? 2 : 1;
    localparam LANE = WIDTH < 9 ? WIDTH : 9, SHIFT = WIDTH == 36 ? 5 : WIDTH == 18 ? 4 : WIDTH == 9 ? 3 :
        WIDTH == 4 ? 2 : WIDTH == 2 ? 1 : 0;
    wire [13:0] write_address = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
    wire [13:0] read_address = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
    wire [35:0] data = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3,
        DIB2, DIB1, DIB0,
        DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3,
        DIA2, DIA1, DIA0};
    wire [3:0] enables = BYTES == 1 ? 4'b1111 : write_address[3:0];
    reg [WIDTH-1:0] words [0:(1 << 14 - SHIFT) - 1];
    reg [WIDTH-1:0] found, held;
    integer i;
    always @(posedge CLKA)
        if (CEA && WEA)
            for (i = 0; i < BYTES; i = i + 1)
                if (enables[i]) words[write_address >> SHIFT][i*LANE +: LANE] <= data[i*LANE +: LANE];
    always @(posedge CLKB) begin
        if (CEB) found <= words[read_address >> SHIFT];
        if (OCEB) held <= found;
    end
    wire [35:0] shown = REGMODE_B == "OUTREG" ? held : found;
    // A narrow word has the pins of its port alone; the halves of a wide one have those of a port each.
    assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3,
        DOB2, DOB1, DOB0} =
        WIDTH == 36 ? shown[35:18] : shown[17:0];
    assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3,
        DOA2, DOA1, DOA0} = shown[17:0];
    initial
        if (DATA_WIDTH_B != DATA_WIDTH_A || REGMODE_A != REGMODE_B || WEB || RSTA || RSTB || CSA0 || CSA1
                || CSA2 || CSB0 || CSB1 || CSB2 || CLKAMUX != "CLKA" || CLKBMUX != "CLKB") begin
            $display("DP16KD is used in a way that this model does not know");
            $stop;
        end
endmodule
