// SB_SPRAM256KA of iCE40 UltraPlus, whole words only; its output is unknown behind a write.
module SB_SPRAM256KA(
    input CLOCK, CHIPSELECT, WREN, STANDBY, SLEEP, POWEROFF,
    input [13:0] ADDRESS,
    input [15:0] DATAIN,
    input [3:0] MASKWREN,
    output reg [15:0] DATAOUT
);
    reg [15:0] words[0:16383];
    always @(posedge CLOCK)
        if (CHIPSELECT && POWEROFF && !SLEEP && !STANDBY) begin
            DATAOUT <= WREN ? ~DATAIN : words[ADDRESS];
            if (WREN)
                words[ADDRESS] <= MASKWREN == 4'b1111 ? DATAIN : ~DATAIN;
        end
endmodule
