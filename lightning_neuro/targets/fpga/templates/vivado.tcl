# Batch synthesis and implementation with Vivado:   vivado -mode batch -source vivado.tcl
# NOT TESTED: no Vivado was available where this file was written. The VHDL itself was simulated with GHDL and
# synthesised with Yosys; see report.json beside this file.
set part "@PART@"
set clock_ns @CLOCK_NS@
set here [file dirname [file normalize [info script]]]
set results [file join $here vivado]
file mkdir $results

read_vhdl -vhdl2008 [list \
@FILES@
]
synth_design -top snn_top -part $part -mode out_of_context
create_clock -name clk -period $clock_ns [get_ports clk]
opt_design
place_design
route_design
report_utilization -hierarchical -file [file join $results utilization.txt]
report_timing_summary -file [file join $results timing.txt]
write_checkpoint -force [file join $results routed.dcp]
