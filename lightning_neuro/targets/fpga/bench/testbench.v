// Drives the translated network with the recorded input spikes and writes what its observation ports show; the
// comparison with the reference model happens outside. No pauses: this checks the translation only.
`timescale 1ns / 1ps

module testbench;
  parameter INPUT_ADDRESS_BITS = 1;
  parameter INPUT_VALUE_BITS = 1;
  parameter INPUT_VALUES = 0;
  parameter OUTPUT_ADDRESS_BITS = 1;
  parameter OUTPUT_VALUE_BITS = 1;
  parameter LAYER_COUNT = 1;
  parameter SPIKE_BITS = 1;
  parameter MEMBRANE_BITS = 1;
  parameter RUNS = 1;

  reg clk = 0, rst = 1, in_valid = 0, in_tick = 0, in_last = 0;
  reg [INPUT_ADDRESS_BITS-1:0] in_address = 0;
  reg [INPUT_VALUE_BITS-1:0] in_value = 0;
  wire in_ready, out_valid, out_tick, out_last;
  wire [OUTPUT_ADDRESS_BITS-1:0] out_address;
  wire [OUTPUT_VALUE_BITS-1:0] out_value;
  wire [LAYER_COUNT-1:0] spikes_valid, membranes_valid;
  wire [SPIKE_BITS-1:0] spikes;
  wire [MEMBRANE_BITS-1:0] membranes;
  integer stimulus, trace, code, total, run, sample, mode, steps, step, events, k, event_address,
          number, done = 0, idle = 0;

  network uut (
    .clk(clk), .rst(rst),
    .in_valid(in_valid), .in_ready(in_ready), .in_tick(in_tick), .in_last(in_last), .in_address(in_address),
    .in_value(in_value),
    .out_valid(out_valid), .out_ready(1'b1), .out_tick(out_tick), .out_last(out_last), .out_address(out_address),
    .out_value(out_value), .spikes_valid(spikes_valid), .membranes_valid(membranes_valid), .spikes(spikes),
    .membranes(membranes)
  );

  always #5 clk = ~clk;

  task send(input tick, input last, input integer address, input integer number);
    begin
      in_valid = 1;
      in_tick = tick;
      in_last = last;
      in_address = address;
      in_value = number;
      @(posedge clk);
      while (in_ready !== 1'b1) @(posedge clk);
      @(negedge clk);
      in_valid = 0;
    end
  endtask

  initial begin
    stimulus = $fopen("stimulus.txt", "r");
    trace = $fopen("trace.txt", "w");
    repeat (4) @(negedge clk);
    rst = 0;
    code = $fscanf(stimulus, "%d", total);
    for (run = 0; run < RUNS; run = run + 1) begin
      code = $fscanf(stimulus, "%d %d %d", sample, mode, steps);
      for (step = 1; step <= steps; step = step + 1) begin
        code = $fscanf(stimulus, "%d", events);
        for (k = 0; k < events; k = k + 1) begin
          code = $fscanf(stimulus, "%d", event_address);
          number = 0;
          if (INPUT_VALUES) code = $fscanf(stimulus, "%d", number);
          send(0, 0, event_address, number);
        end
        send(1, step == steps, 0, 0);
      end
    end
  end

  always @(posedge clk)
    if (!rst) begin
      idle = idle + 1;
      if (spikes_valid != 0) $fdisplay(trace, "s %b %b", spikes_valid, spikes);
      if (membranes_valid != 0) $fdisplay(trace, "m %b %b", membranes_valid, membranes);
      if (out_valid) begin
        idle = 0;
        if (out_tick && out_last) done = done + 1;
      end
      if (done == RUNS || idle > 1000000) begin
        $fclose(trace);
        $finish;
      end
    end
endmodule
