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
  constant DEPTH     : positive := (L.inputs + L.bias_rows) * L.groups;
  constant ROW_WIDTH : positive := L.lanes * L.weight_bits;
  constant SLICE     : positive := slice_bits(DEPTH, ROW_WIDTH);

  signal operation   : operation_t;
  signal group_index : unsigned(index_bits(L.groups) - 1 downto 0);
  signal address     : unsigned(index_bits(DEPTH) - 1 downto 0);
  signal weights     : std_logic_vector(ROW_WIDTH - 1 downto 0);
  signal settled, last_group, last_step, done   : std_logic;
  signal write, add, add_n, synapse_add_n       : std_logic;
begin

  control : entity work.sequencer
    generic map (
      INPUTS         => L.inputs,
      BIAS_ROWS      => L.bias_rows,
      GROUPS         => L.groups,
      CURRENT_BASED  => L.current_based,
      UNWINDS        => L.reset_kind = RESET_ZERO and L.reset_delay = 1,
      AMENDS_FIRST   => L.reset_kind = RESET_ZERO and L.reset_delay = 1 and any_nonzero(reset_values_of(INDEX)),
      AMENDS_LAST    => L.reset_kind = RESET_SUBTRACT and L.reset_delay = 1
    )
    port map (
      clk         => clk,
      rst         => rst,
      in_valid    => in_valid,
      in_ready    => in_ready,
      in_tick     => in_tick,
      in_last     => in_last,
      in_address  => in_address,
      address     => address,
      operation   => operation,
      group_index => group_index,
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
        DEPTH => DEPTH,
        FIRST => k * SLICE,
        WIDTH => WIDTH
      )
      port map (
        clk     => clk,
        address => address,
        word    => weights(k * SLICE + WIDTH - 1 downto k * SLICE)
      );
  end generate;

  add           <= operation.transfer when L.current_based else operation.add;
  add_n         <= not add;
  synapse_add_n <= not operation.add;
  write         <= operation.clear or operation.unwind or operation.amend or operation.leak or add
                   or operation.wipe or operation.settle;

  each_lane : for lane in 0 to L.lanes - 1 generate
    constant DRIVE_BITS : positive := drive_bits_of(L);
    signal weight   : signed(L.weight_bits - 1 downto 0);
    signal drive    : signed(DRIVE_BITS - 1 downto 0);
    signal membrane : signed(L.state_bits - 1 downto 0);
  begin
    weight <= signed(weights((lane + 1) * L.weight_bits - 1 downto lane * L.weight_bits));

    exponential : if L.current_based generate
      currents_of_lane : entity work.synapse
        generic map (
          GROUPS           => L.groups,
          WEIGHT_BITS      => L.weight_bits,
          WEIGHT_SHIFT     => L.weight_shift,
          CURRENT_BITS     => L.current_bits,
          LEAK_MULTIPLIERS => of_lane(current_leak_multipliers_of(INDEX), lane, L.lanes, L.groups),
          LEAK_SHIFT       => L.current_leak_shift
        )
        port map (
          clk         => clk,
          group_index => group_index,
          clear       => operation.clear,
          leak        => operation.leak,
          add         => operation.add,
          add_n       => synapse_add_n,
          weight      => weight,
          current     => drive
        );
    else generate
      drive <= weight;
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
        THRESHOLDS       => of_lane(thresholds_of(INDEX), lane, L.lanes, L.groups),
        RESET_VALUES     => of_lane(reset_values_of(INDEX), lane, L.lanes, L.groups),
        RESET_KIND       => L.reset_kind,
        RESET_DELAY      => L.reset_delay
      )
      port map (
        clk         => clk,
        group_index => group_index,
        clear       => operation.clear,
        unwind      => operation.unwind,
        amend       => operation.amend,
        leak        => operation.leak,
        add         => add,
        add_n       => add_n,
        compare     => operation.compare,
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
        done        => done,
        out_valid   => out_valid,
        out_ready   => out_ready,
        out_tick    => out_tick,
        out_last    => out_last,
        out_address => out_address,
        out_value   => out_value
      );
  else generate
    out_value <= (L.state_bits - 1 downto 0 => '0');
    events : entity work.spike_scanner
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
        done        => done,
        out_valid   => out_valid,
        out_ready   => out_ready,
        out_tick    => out_tick,
        out_last    => out_last,
        out_address => out_address
      );
  end generate;

end architecture;
