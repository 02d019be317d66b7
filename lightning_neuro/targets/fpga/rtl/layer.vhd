-- One layer: events in, events (or membranes) out. Everything it is stands in LAYERS(INDEX) of the generated package.
library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;
use work.snn_pkg.all;
use work.network_pkg.all;

entity layer is
  generic (
    INDEX : natural
  );
  port (
    clk         : in  std_logic;
    rst         : in  std_logic;
    in_valid    : in  std_logic;
    in_ready    : out std_logic;
    in_tick     : in  std_logic;
    in_last     : in  std_logic;
    in_address  : in  unsigned(index_bits(LAYERS(INDEX).inputs) - 1 downto 0);
    in_value    : in  signed(maximum(LAYERS(INDEX).value_bits, 1) - 1 downto 0);
    out_valid   : out std_logic;
    out_ready   : in  std_logic;
    out_tick    : out std_logic;
    out_last    : out std_logic;
    out_address : out unsigned(index_bits(LAYERS(INDEX).neurons) - 1 downto 0);
    out_value   : out signed(LAYERS(INDEX).state_bits - 1 downto 0);
    -- Observation only: spikes and membranes of one group at the end of a step.
    spikes_valid    : out std_logic;
    membranes_valid : out std_logic;
    spikes          : out std_logic_vector(LAYERS(INDEX).lanes - 1 downto 0);
    membranes       : out std_logic_vector(LAYERS(INDEX).lanes * LAYERS(INDEX).state_bits - 1 downto 0)
  );
end entity;

architecture rtl of layer is
  constant L         : layer_t := LAYERS(INDEX);
  constant ROW_WIDTH  : positive := L.lanes * L.weight_bits;
  constant SLICE      : positive := slice_bits(L.words, ROW_WIDTH);
  constant BIASES     : positive := maximum(L.biases, 1);
  constant ADDRESSES  : positive := choice(L.spreads, L.words, L.inputs);   -- addresses of events

  -- What the sequencer takes: events, or what the address generator makes of them.
  signal event_valid, event_ready, event_tick, event_last : std_logic;
  signal event_address : unsigned(index_bits(ADDRESSES) - 1 downto 0);
  signal event_group   : unsigned(index_bits(L.groups) - 1 downto 0);
  signal event_value   : signed(maximum(L.value_bits, 1) - 1 downto 0);

  signal operation, early_operation     : operation_t;
  signal group_index, early_group_index : unsigned(index_bits(L.groups) - 1 downto 0);
  signal bias_index, early_bias_index   : unsigned(index_bits(BIASES) - 1 downto 0);
  signal value       : signed(maximum(L.value_bits, 1) - 1 downto 0);      -- of the event whose weights are out
  signal address     : unsigned(index_bits(L.words) - 1 downto 0);
  signal weights     : std_logic_vector(ROW_WIDTH - 1 downto 0);
  signal settled, last_group, last_step, done   : std_logic;
  signal own_valid, own_taken, own_held, own_idle : std_logic;
  signal own_address : unsigned(index_bits(L.neurons) - 1 downto 0);
  signal sent_valid, sent_ready, sent_tick, sent_last, spikes_done, membranes_done : std_logic;
  signal sent_address : unsigned(index_bits(L.neurons) - 1 downto 0);
  signal write, add, add_n, synapse_add_n, membrane_bias : std_logic;
begin

  spreading : if L.spreads generate
    generator : entity work.address_generator
      generic map (
        INDEX => INDEX
      )
      port map (
        clk         => clk,
        rst         => rst,
        in_valid    => in_valid,
        in_ready    => in_ready,
        in_tick     => in_tick,
        in_last     => in_last,
        in_address  => in_address,
        in_value    => in_value,
        out_valid   => event_valid,
        out_ready   => event_ready,
        out_tick    => event_tick,
        out_last    => event_last,
        out_address => event_address,
        out_group   => event_group,
        out_value   => event_value
      );
  else generate
    event_valid   <= in_valid;
    in_ready      <= event_ready;
    event_tick    <= in_tick;
    event_last    <= in_last;
    event_address <= in_address;
    event_group   <= (event_group'range => '0');
    event_value   <= in_value;
  end generate;

  control : entity work.sequencer
    generic map (
      INPUTS         => ADDRESSES,
      NEURONS        => L.neurons,
      FEEDBACK_ROWS  => L.feedback_rows,
      GROUPS         => L.groups,
      WORDS          => L.words,
      SPREAD         => L.spreads,
      BIASES         => L.biases,
      BIAS_ONSETS    => bias_onsets_of(INDEX),
      BIAS_ENDS      => bias_ends_of(INDEX),
      FIRES_FROM     => L.fires_from,
      FIRES_UNTIL    => L.fires_until,
      CURRENT_BASED  => L.current_based,
      STARTS         => any_nonzero(initial_values_of(INDEX)),
      LEAKS          => L.current_based or any_nonzero(leak_multipliers_of(INDEX)),
      UNWINDS        => L.reset_kind = RESET_ZERO and L.reset_delay = 1,
      AMENDS_FIRST   => L.reset_kind = RESET_ZERO and L.reset_delay = 1 and any_nonzero(reset_values_of(INDEX)),
      AMENDS_LAST    => L.reset_kind = RESET_SUBTRACT and L.reset_delay = 1
    )
    port map (
      clk         => clk,
      rst         => rst,
      in_valid    => event_valid,
      in_ready    => event_ready,
      in_tick     => event_tick,
      in_last     => event_last,
      in_address  => event_address,
      in_group    => event_group,
      own_valid   => own_valid,
      own_address => own_address,
      own_taken   => own_taken,
      own_held    => own_held,
      own_idle    => own_idle,
      address     => address,
      operation   => early_operation,
      group_index => early_group_index,
      bias_index  => early_bias_index,
      last_group  => last_group,
      last_step   => last_step,
      done        => done
    );

  memory : for k in 0 to (ROW_WIDTH - 1) / SLICE generate
    constant WIDTH : positive := minimum(SLICE, ROW_WIDTH - k * SLICE);
  begin
    slices : entity work.weight_memory
      generic map (
        INDEX => INDEX,
        DEPTH => L.words,
        FIRST => k * SLICE,
        WIDTH => WIDTH
      )
      port map (
        clk     => clk,
        address => address,
        word    => weights(k * SLICE + WIDTH - 1 downto k * SLICE)
      );
  end generate;

  -- A number goes with its event until the weights are out; the product takes one cycle, and so everything else does.
  numbers : if L.value_bits > 0 generate
    signal value_0, value_1, value_2 : signed(L.value_bits - 1 downto 0);
  begin
    value <= value_2;
    process (clk)
    begin
      if rising_edge(clk) then
        value_0     <= event_value;
        value_1     <= value_0;
        value_2     <= value_1;
        operation   <= early_operation;
        group_index <= early_group_index;
        bias_index  <= early_bias_index;
        if rst = '1' then
          operation <= NO_OPERATION;
        end if;
      end if;
    end process;
  else generate
    value       <= event_value;
    operation   <= early_operation;
    group_index <= early_group_index;
    bias_index  <= early_bias_index;
  end generate;

  add           <= operation.transfer when L.current_based else operation.add;
  add_n         <= not add;
  synapse_add_n <= not operation.add;
  -- What a generic switches off is never set.
  write         <= operation.clear or operation.start or operation.unwind or operation.amend or operation.leak or add
                   or membrane_bias or operation.wipe or operation.settle;
  membrane_bias <= '0' when L.current_based else operation.bias;

  each_lane : for lane in 0 to L.lanes - 1 generate
    constant DRIVE_BITS : positive := drive_bits_of(L);
    constant CONSTANTS  : integer_vector := rows_of_lane(biases_of(INDEX), BIASES, lane, L.lanes, L.groups);
    signal weight   : signed(L.weight_bits - 1 downto 0);
    signal added    : signed(added_bits_of(L) - 1 downto 0);
    signal drive    : signed(DRIVE_BITS - 1 downto 0);
    signal membrane : signed(L.state_bits - 1 downto 0);
  begin
    weight <= signed(weights((lane + 1) * L.weight_bits - 1 downto lane * L.weight_bits));

    multiplied : if L.value_bits > 0 generate
      process (clk)
      begin
        if rising_edge(clk) then
          added <= weight * value;
        end if;
      end process;
    else generate
      added <= weight;
    end generate;

    exponential : if L.current_based generate
      currents_of_lane : entity work.synapse
        generic map (
          GROUPS           => L.groups,
          WEIGHT_BITS      => added_bits_of(L),
          WEIGHT_SHIFT     => L.weight_shift,
          CURRENT_BITS     => L.current_bits,
          BIASES           => BIASES,
          BIAS_VALUES      => CONSTANTS,
          LEAK_MULTIPLIERS => of_lane(current_leak_multipliers_of(INDEX), lane, L.lanes, L.groups),
          LEAK_SHIFT       => L.current_leak_shift
        )
        port map (
          clk         => clk,
          group_index => group_index,
          bias_index  => bias_index,
          clear       => operation.clear,
          leak        => operation.leak,
          add         => operation.add,
          add_n       => synapse_add_n,
          bias        => operation.bias,
          weight      => added,
          current     => drive
        );
    else generate
      drive <= added;
    end generate;

    membranes_of_lane : entity work.neuron
      generic map (
        GROUPS           => L.groups,
        DRIVE_BITS       => DRIVE_BITS,
        DRIVE_SHIFT      => drive_shift_of(L),
        STATE_BITS       => L.state_bits,
        SUM_BITS         => L.sum_bits,
        LEAK_MULTIPLIERS => of_lane(leak_multipliers_of(INDEX), lane, L.lanes, L.groups),
        LEAK_SHIFT       => L.leak_shift,
        BIASES           => BIASES,
        BIAS_VALUES      => unless(L.current_based, CONSTANTS),
        INITIAL_VALUES   => rows_of_lane(initial_values_of(INDEX), 1, lane, L.lanes, L.groups),
        THRESHOLDS       => of_lane(thresholds_of(INDEX), lane, L.lanes, L.groups),
        RESET_VALUES     => of_lane(reset_values_of(INDEX), lane, L.lanes, L.groups),
        FIRES_SELDOM     => L.fires_from > 0 or L.fires_until > 0,
        RESET_KIND       => L.reset_kind,
        RESET_DELAY      => L.reset_delay
      )
      port map (
        clk         => clk,
        group_index => group_index,
        bias_index  => bias_index,
        clear       => operation.clear,
        start       => operation.start,
        unwind      => operation.unwind,
        amend       => operation.amend,
        leak        => operation.leak,
        add         => add,
        add_n       => add_n,
        bias        => membrane_bias,
        compare     => operation.compare,
        silent      => operation.silent,
        wipe        => operation.wipe,
        settle      => operation.settle,
        write       => write,
        drive       => drive,
        spike       => spikes(lane),
        membrane    => membrane
      );

    membranes((lane + 1) * L.state_bits - 1 downto lane * L.state_bits) <= std_logic_vector(membrane);
  end generate;

  -- Membranes in flip-flops show the result one cycle after the operation (neuron.vhd).
  visible : if L.groups = 1 generate
    process (clk)
    begin
      if rising_edge(clk) then
        settled <= operation.settle and not rst;
      end if;
    end process;
  else generate
    settled <= operation.settle;
  end generate;

  spikes_valid    <= operation.settle;
  membranes_valid <= settled;

  -- Events for the output or, where membranes leave the layer, for the layer itself.
  events : if L.feedback_rows > 0 or not L.emits_membranes generate
    scanner : entity work.spike_scanner
      generic map (
        NEURONS => L.neurons,
        LANES   => L.lanes
      )
      port map (
        clk         => clk,
        rst         => rst,
        load        => operation.settle,
        last_group  => last_group,
        last_step   => last_step,
        spikes      => spikes,
        done        => spikes_done,
        out_valid   => sent_valid,
        out_ready   => sent_ready,
        out_tick    => sent_tick,
        out_last    => sent_last,
        out_address => sent_address
      );
  end generate;

  output : if L.emits_membranes generate
    values : entity work.membrane_output
      generic map (
        NEURONS    => L.neurons,
        LANES      => L.lanes,
        STATE_BITS => L.state_bits
      )
      port map (
        clk         => clk,
        rst         => rst,
        load        => settled,
        last_group  => last_group,
        last_step   => last_step,
        membranes   => membranes,
        done        => membranes_done,
        out_valid   => out_valid,
        out_ready   => out_ready,
        out_tick    => out_tick,
        out_last    => out_last,
        out_address => out_address,
        out_value   => out_value
      );
    sent_ready <= '1';

    -- A group is finished when both of its ways are.
    both : if L.feedback_rows > 0 generate
      signal spikes_were, membranes_were : std_logic;
    begin
      done <= (spikes_done or spikes_were) and (membranes_done or membranes_were);
      process (clk)
      begin
        if rising_edge(clk) then
          spikes_were    <= (spikes_done or spikes_were) and not (done or rst);
          membranes_were <= (membranes_done or membranes_were) and not (done or rst);
        end if;
      end process;
    else generate
      done <= membranes_done;
    end generate;
  else generate
    done        <= spikes_done;
    sent_ready  <= out_ready;
    out_valid   <= sent_valid;
    out_tick    <= sent_tick;
    out_last    <= sent_last;
    out_address <= sent_address;
    out_value   <= (L.state_bits - 1 downto 0 => '0');
  end generate;

  -- Every event comes back in the next step; the spikes of a sample's last step are forgotten.
  recurrent : if L.feedback_rows > 0 generate
    signal store : std_logic;
  begin
    store <= sent_valid and sent_ready and not (sent_tick or last_step);
    own_spikes : entity work.spike_feedback
      generic map (
        NEURONS => L.neurons
      )
      port map (
        clk           => clk,
        rst           => rst,
        store         => store,
        store_address => sent_address,
        held          => own_held,
        taken         => own_taken,
        valid         => own_valid,
        address       => own_address,
        idle          => own_idle
      );
  else generate
    own_valid   <= '0';
    own_address <= (own_address'range => '0');
    own_idle    <= '1';
  end generate;

end architecture;
