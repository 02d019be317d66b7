-- Self-checking testbench: drives the recorded input spikes and compares every spike and every membrane of every layer
-- and step, and the whole output stream, with what the reference model recorded.
--
-- Reads  stimulus.txt            runs, then per run: sample, mode, steps; per step: count and addresses of events, each
--                                address followed by the event's number where events carry numbers
--        expected_<layer>.txt    per step: sample, step, then spikes and membranes of all neurons
--        expected_output.txt     per beat of the output stream: kind, address, value
-- Writes mismatches.txt          the first difference of every layer
--        output.txt              the output stream, one beat per line
--        cycles.txt              per run: sample, mode, clock cycles from the first input beat to the last output beat
--        result.txt              verdict; then per layer, and last for the stream: values compared, values that differ
--        trace_<layer>.txt       of the first TRACED steps: sample, step, then the spikes and the membranes of all neurons
--                                as the layer had them, "x" where they are undefined
-- Mode 0: one sample at a time, nobody waits: cycles are counted. Mode 1: the input pauses and the output is not ready
-- at (repeatable) random, samples follow each other without a gap.
library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;
use ieee.math_real.all;
use std.textio.all;
use work.snn_pkg.all;
use work.network_pkg.all;

entity testbench is
  generic (
    FOLDER : string  := "./";
    TRACED : natural := 0
  );
end entity;

architecture simulation of testbench is
  constant PERIOD    : time     := 10 ns;
  constant COUNT     : positive := LAYERS'length;
  constant PATIENCE  : positive := 1000000;                  -- cycles without any beat before giving up

  signal clk         : std_logic := '0';
  signal rst         : std_logic := '1';
  signal in_valid    : std_logic := '0';
  signal in_ready    : std_logic;
  signal in_tick     : std_logic := '0';
  signal in_last     : std_logic := '0';
  signal in_address  : std_logic_vector(INPUT_ADDRESS_BITS - 1 downto 0) := (others => '0');
  signal in_value    : std_logic_vector(INPUT_VALUE_BITS - 1 downto 0) := (others => '0');
  signal out_valid, out_tick, out_last : std_logic;
  signal out_ready   : std_logic := '1';
  signal out_address : std_logic_vector(OUTPUT_ADDRESS_BITS - 1 downto 0);
  signal out_value   : std_logic_vector(OUTPUT_VALUE_BITS - 1 downto 0);
  signal spikes_valid, membranes_valid : std_logic_vector(COUNT - 1 downto 0);
  signal spikes      : std_logic_vector(lanes_before(LAYERS, COUNT) - 1 downto 0);
  signal membranes   : std_logic_vector(membrane_bits_before(LAYERS, COUNT) - 1 downto 0);

  type counts_t is array (natural range <>) of natural;
  signal compared, wrong : counts_t(COUNT downto 0) := (others => 0);  -- values per layer; COUNT: the output stream
  signal cycle           : natural := 0;
  signal started_at      : natural := 0;
  signal run_sent        : natural := 0;                     -- the run whose input is being sent
  signal runs_done       : natural := 0;
  signal runs            : natural := natural'high;
  signal stopped         : boolean := false;

  type modes_t is array (natural range <>) of natural;
  signal modes : modes_t(0 to 4095) := (others => 0);        -- of every run, filled as they start

  type mismatches_t is protected
    procedure report_first(text : string);
  end protected;

  type mismatches_t is protected body
    file log : text open write_mode is FOLDER & "mismatches.txt";
    procedure report_first(text : string) is
      variable entry : line;
    begin
      write(entry, text);
      writeline(log, entry);
      flush(log);
      report text severity warning;
    end procedure;
  end protected body;

  shared variable mismatches : mismatches_t;

  impure function difference(layer_index, sample, step, neuron : integer; kind, expected_value, got_value : string)
    return string is
  begin
    return "MISMATCH layer=" & integer'image(layer_index) & " sample=" & integer'image(sample)
      & " step=" & integer'image(step) & " neuron=" & integer'image(neuron) & " kind=" & kind
      & " expected=" & expected_value & " got=" & got_value;
  end function;
begin

  clk <= not clk after PERIOD / 2 when not stopped;

  uut : entity work.network
    port map (
      clk             => clk,
      rst             => rst,
      in_valid        => in_valid,
      in_ready        => in_ready,
      in_tick         => in_tick,
      in_last         => in_last,
      in_address      => in_address,
      in_value        => in_value,
      out_valid       => out_valid,
      out_ready       => out_ready,
      out_tick        => out_tick,
      out_last        => out_last,
      out_address     => out_address,
      out_value       => out_value,
      spikes_valid    => spikes_valid,
      membranes_valid => membranes_valid,
      spikes          => spikes,
      membranes       => membranes
    );

  -- Inputs change after the falling edge, so that no simulator can see them change with the clock.
  drive : process
    file stimulus : text open read_mode is FOLDER & "stimulus.txt";
    variable entry : line;
    variable total, sample, mode, steps, events, event : natural;
    variable seed_1, seed_2 : positive := 17;
    variable chance : real;
    variable number : integer := 0;

    procedure send(tick, last : std_logic; address : natural; carried : integer) is
    begin
      if mode = 1 then
        uniform(seed_1, seed_2, chance);
        while chance < 0.3 loop
          wait until falling_edge(clk);
          uniform(seed_1, seed_2, chance);
        end loop;
      end if;
      in_valid   <= '1';
      in_tick    <= tick;
      in_last    <= last;
      in_address <= std_logic_vector(to_unsigned(address, INPUT_ADDRESS_BITS));
      in_value   <= std_logic_vector(to_signed(carried, INPUT_VALUE_BITS));
      wait until rising_edge(clk) and in_ready = '1';
      wait until falling_edge(clk);
      in_valid <= '0';
    end procedure;
  begin
    for k in 1 to 4 loop
      wait until falling_edge(clk);
    end loop;
    rst <= '0';
    readline(stimulus, entry);
    read(entry, total);
    runs <= total;
    for run in 0 to total - 1 loop
      readline(stimulus, entry);
      read(entry, sample);
      read(entry, mode);
      read(entry, steps);
      modes(run) <= mode;
      if mode = 0 then
        while runs_done < run loop
          wait until falling_edge(clk);
        end loop;
        started_at <= cycle;
      end if;
      for step in 1 to steps loop
        readline(stimulus, entry);
        read(entry, events);
        for k in 1 to events loop
          read(entry, event);
          if LAYERS(0).value_bits > 0 then
            read(entry, number);
          end if;
          send('0', '0', event, number);
        end loop;
        if step = steps then
          send('1', '1', 0, 0);
        else
          send('1', '0', 0, 0);
        end if;
      end loop;
      deallocate(entry);
    end loop;
    wait;
  end process;

  pause : process
    variable seed_1, seed_2 : positive := 29;
    variable chance : real;
  begin
    wait until falling_edge(clk);
    uniform(seed_1, seed_2, chance);
    if modes(runs_done) = 1 and chance < 0.4 then
      out_ready <= '0';
    else
      out_ready <= '1';
    end if;
  end process;

  -- One checker per layer.
  check_layers : for k in 0 to COUNT - 1 generate
    constant L          : layer_t := LAYERS(k);
    constant FIRST_LANE : natural := lanes_before(LAYERS, k);
    constant FIRST_BIT  : natural := membrane_bits_before(LAYERS, k);
  begin
    process
      file expected : text open read_mode is FOLDER & "expected_" & integer'image(k) & ".txt";
      type values_t is array (0 to L.neurons - 1) of integer;
      variable expected_spikes, expected_membranes : values_t;
      variable entry : line;
      variable sample, step, group_spikes, group_membranes, checks, faults, neuron : natural := 0;

      -- what the layer did in the present step, and whether the simulator knew it
      type known_t is array (0 to L.neurons - 1) of boolean;
      file trace : text;
      variable found_spikes, found_membranes : values_t;
      variable known_spikes, known_membranes : known_t := (others => false);
      variable traced_steps : natural := 0;

      procedure note(values : inout values_t; known : inout known_t; bits : std_logic_vector) is
      begin
        known(neuron) := not is_x(bits);
        if known(neuron) then
          values(neuron) := to_integer(signed(bits));
        end if;
      end procedure;

      procedure write_values(row : inout line; values : values_t; known : known_t) is
      begin
        for n in values'range loop
          if known(n) then
            write(row, ' ' & integer'image(values(n)));
          else
            write(row, string'(" x"));
          end if;
        end loop;
      end procedure;

      procedure trace_step is
        variable row : line;
      begin
        if traced_steps = 0 then
          file_open(trace, FOLDER & "trace_" & integer'image(k) & ".txt", write_mode);
        end if;
        traced_steps := traced_steps + 1;
        write(row, integer'image(sample) & ' ' & integer'image(step));
        write_values(row, found_spikes, known_spikes);
        write_values(row, found_membranes, known_membranes);
        writeline(trace, row);
        flush(trace);
      end procedure;

      procedure check(kind : string; expected_value : integer; bits : std_logic_vector) is
      begin
        checks := checks + 1;
        if is_x(bits) then
          if faults = 0 then
            mismatches.report_first(difference(k, sample, step, neuron, kind, integer'image(expected_value), "undefined"));
          end if;
          faults := faults + 1;
        elsif to_integer(signed(bits)) /= expected_value then
          if faults = 0 then
            mismatches.report_first(difference(
              k, sample, step, neuron, kind, integer'image(expected_value), integer'image(to_integer(signed(bits)))));
          end if;
          faults := faults + 1;
        end if;
      end procedure;
    begin
      wait until rising_edge(clk);
      if rst = '0' and spikes_valid(k) = '1' then
        if group_spikes = 0 then
          if endfile(expected) then
            mismatches.report_first(difference(k, sample, step, 0, "extra_step", "none", "one more"));
            wrong(k) <= faults + 1;
            wait;
          end if;
          readline(expected, entry);
          read(entry, sample);
          read(entry, step);
          for n in values_t'range loop
            read(entry, expected_spikes(n));
          end loop;
          for n in values_t'range loop
            read(entry, expected_membranes(n));
          end loop;
          deallocate(entry);
        end if;
        for lane in 0 to L.lanes - 1 loop
          neuron := group_spikes * L.lanes + lane;
          if neuron < L.neurons then
            check("spike", expected_spikes(neuron), '0' & spikes(FIRST_LANE + lane downto FIRST_LANE + lane));
            note(found_spikes, known_spikes, '0' & spikes(FIRST_LANE + lane downto FIRST_LANE + lane));
          end if;
        end loop;
        group_spikes := (group_spikes + 1) mod L.groups;
      end if;
      if rst = '0' and membranes_valid(k) = '1' then
        for lane in 0 to L.lanes - 1 loop
          neuron := group_membranes * L.lanes + lane;
          if neuron < L.neurons then
            check("membrane", expected_membranes(neuron),
                  membranes(FIRST_BIT + (lane + 1) * L.state_bits - 1 downto FIRST_BIT + lane * L.state_bits));
            note(found_membranes, known_membranes,
                 membranes(FIRST_BIT + (lane + 1) * L.state_bits - 1 downto FIRST_BIT + lane * L.state_bits));
          end if;
        end loop;
        group_membranes := (group_membranes + 1) mod L.groups;
        if group_membranes = 0 and traced_steps < TRACED then
          trace_step;
        end if;
      end if;
      compared(k) <= checks;
      wrong(k) <= faults;
    end process;
  end generate;

  -- The output stream: kind (0 event or membrane, 1 tick, 2 last tick), address and value of every beat.
  check_stream : process
    file expected : text open read_mode is FOLDER & "expected_output.txt";
    file output   : text open write_mode is FOLDER & "output.txt";
    file cycles   : text open write_mode is FOLDER & "cycles.txt";
    variable entry : line;
    variable checks, faults, idle, beat, kind, done : natural := 0;
    variable expected_kind, expected_address, expected_value, address, value : integer := 0;
  begin
    wait until rising_edge(clk);
    cycle <= cycle + 1;
    idle := idle + 1;
    if rst = '0' and (out_valid and out_ready) = '1' then
      idle := 0;
      beat := beat + 1;
      kind := 0;
      address := 0;
      value := 0;
      if out_tick = '1' then
        kind := 1;
        if out_last = '1' then
          kind := 2;
        end if;
      else
        address := to_integer(unsigned(out_address));
        value := to_integer(signed(out_value));
      end if;
      write(entry, integer'image(kind) & " " & integer'image(address) & " " & integer'image(value));
      writeline(output, entry);

      expected_kind := -1;
      if not endfile(expected) then
        readline(expected, entry);
        read(entry, expected_kind);
        read(entry, expected_address);
        read(entry, expected_value);
        deallocate(entry);
      end if;
      checks := checks + 1;
      if kind /= expected_kind or address /= expected_address or value /= expected_value then
        if faults = 0 then
          mismatches.report_first("STREAM beat=" & integer'image(beat)
            & " expected=" & integer'image(expected_kind) & "," & integer'image(expected_address) & ","
            & integer'image(expected_value) & " got=" & integer'image(kind) & "," & integer'image(address) & ","
            & integer'image(value));
        end if;
        faults := faults + 1;
      end if;
      if kind = 2 then
        write(entry, integer'image(done) & " " & integer'image(modes(done)) & " "
          & integer'image(cycle + 1 - started_at));
        writeline(cycles, entry);
        done := done + 1;
        runs_done <= done;
      end if;
    end if;
    compared(COUNT) <= checks;
    wrong(COUNT) <= faults;
    if done >= runs or idle > PATIENCE then
      for k in 1 to 8 loop                                   -- nothing may follow the last beat
        wait until rising_edge(clk);
        if out_valid = '1' then
          faults := faults + 1;
        end if;
      end loop;
      wrong(COUNT) <= faults;
      stopped <= true;
      wait;
    end if;
  end process;

  conclude : process
    file result : text open write_mode is FOLDER & "result.txt";
    variable entry : line;
    variable total_compared, total_wrong : natural := 0;
  begin
    wait until stopped;
    for k in 0 to COUNT loop
      total_compared := total_compared + compared(k);
      total_wrong := total_wrong + wrong(k);
    end loop;
    if runs_done < runs then
      write(entry, string'("STALLED after "));
      write(entry, runs_done);
      write(entry, string'(" runs"));
    elsif total_wrong = 0 and total_compared > 0 then
      write(entry, string'("PASSED "));
      write(entry, total_compared);
      write(entry, string'(" values compared, 0 differ"));
    else
      write(entry, string'("FAILED "));
      write(entry, total_compared);
      write(entry, string'(" values compared, "));
      write(entry, total_wrong);
      write(entry, string'(" differ"));
    end if;
    report entry.all severity note;
    writeline(result, entry);
    for k in 0 to COUNT loop
      write(entry, k);
      write(entry, string'(" "));
      write(entry, compared(k));
      write(entry, string'(" "));
      write(entry, wrong(k));
      writeline(result, entry);
    end loop;
    wait;
  end process;

end architecture;
