// SB_MAC16 of iCE40 UltraPlus as two signed 8 x 8 multipliers with registers at inputs and products, as we use it.
module SB_MAC16(
    input CLK, CE, AHOLD, BHOLD, CHOLD, DHOLD, IRSTTOP, IRSTBOT, ORSTTOP, ORSTBOT, OLOADTOP, OLOADBOT,
    input ADDSUBTOP, ADDSUBBOT, OHOLDTOP, OHOLDBOT, CI, ACCUMCI, SIGNEXTIN,
    input [15:0] A, B, C, D,
    output [31:0] O
);
    parameter [0:0] MODE_8x8 = 0, A_SIGNED = 0, B_SIGNED = 0, A_REG = 0, B_REG = 0;
    parameter [0:0] TOP_8x8_MULT_REG = 0, BOT_8x8_MULT_REG = 0;
    parameter [1:0] TOPOUTPUT_SELECT = 0, BOTOUTPUT_SELECT = 0;
    reg signed [7:0] top_a, top_b, bottom_a, bottom_b;
    reg signed [15:0] top, bottom;
    always @(posedge CLK)
        if (CE) begin
            {top_a, bottom_a} <= A;
            {top_b, bottom_b} <= B;
            top <= top_a * top_b;
            bottom <= bottom_a * bottom_b;
        end
    assign O = {top, bottom};
    initial
        if (!MODE_8x8 || !A_SIGNED || !B_SIGNED || !A_REG || !B_REG || !TOP_8x8_MULT_REG
                || !BOT_8x8_MULT_REG || TOPOUTPUT_SELECT != 2 || BOTOUTPUT_SELECT != 2
                || AHOLD || BHOLD || IRSTTOP || IRSTBOT) begin
            $display("SB_MAC16 is used in a way that this model does not know");
            $stop;
        end
endmodule
