-- Membranes of one lane. Every operation is one subtraction, so a single carry chain serves them all, one per cycle:
--   clear     v <- v - v                       start of a sample
--   start     v <- v - c                       c = -v_init
--   unwind    v <- v - v  where s              a delayed reset to a value, first half
--   amend     v <- v - c  where s              its second half (c = -v_reset), or a delayed reset by subtraction (c = theta)
--   leak      v <- v - leak(v)
--   add       v <- v - (not drive) - 1         that is v + drive: a weight, or the synaptic current
--   bias      v <- v - c                       c = -bias
--   compare   s <- v > theta, unless neurons are silent in this step; is v inside the membrane's range?
--   wipe      v <- v - v  where a constant has to replace v: reset to a value, lower or upper end of the range; after
--                         the first spike of a neuron that fires once, in every step
--   settle    v <- v - c  that constant, negated; or the threshold, for a reset by subtraction
-- The sum is exact: SUM_BITS holds every value that the layer's weights can reach in a step, and wipe and settle
-- saturate it once. They follow compare immediately, for the same neurons.
-- Membranes live in flip-flops when the lane has one neuron, in distributed RAM when it serves several in turn.
library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;
use work.snn_pkg.all;

entity neuron is
  generic (
    GROUPS           : positive;                -- neurons served in turn
    DRIVE_BITS       : positive;
    DRIVE_SHIFT      : natural;
    STATE_BITS       : positive;
    SUM_BITS         : positive;                -- more than STATE_BITS
    LEAK_MULTIPLIERS : integer_vector;
    LEAK_SHIFT       : natural;
    BIASES           : positive;                -- rows of the table of constants, 1 where there are none
    BIAS_VALUES      : integer_vector;          -- of rows_of_lane
    INITIAL_VALUES   : integer_vector;
    THRESHOLDS       : integer_vector;
    RESET_VALUES     : integer_vector;
    FIRES_SELDOM     : boolean;                 -- silent is used
    RESET_KIND       : reset_kind_t;
    RESET_DELAY      : natural
  );
  port (
    clk         : in  std_logic;
    group_index : in  unsigned(index_bits(GROUPS) - 1 downto 0);
    bias_index  : in  unsigned(index_bits(BIASES) - 1 downto 0);
    clear       : in  std_logic;
    start       : in  std_logic;
    unwind      : in  std_logic;
    amend       : in  std_logic;
    leak        : in  std_logic;
    add         : in  std_logic;
    add_n       : in  std_logic;                -- not add: spares every lane an inverter
    bias        : in  std_logic;
    compare     : in  std_logic;
    silent      : in  std_logic;
    wipe        : in  std_logic;
    settle      : in  std_logic;
    write       : in  std_logic;                -- any operation but compare
    drive       : in  signed(DRIVE_BITS - 1 downto 0);
    spike       : out std_logic;                -- during settle
    -- Membrane after the operation: in the same cycle from distributed RAM, one cycle later from flip-flops.
    membrane    : out signed(STATE_BITS - 1 downto 0)
  );
end entity;

architecture rtl of neuron is
  constant TOP  : signed(STATE_BITS - 1 downto 0) := '0' & (STATE_BITS - 2 downto 0 => '1');
  constant HIGH : signed(SUM_BITS - 1 downto 0) := resize(TOP, SUM_BITS);
  constant ZERO : signed(SUM_BITS - 1 downto 0) := (SUM_BITS - 1 downto 0 => '0');

  constant ZERO_AT_ONCE     : boolean := RESET_KIND = RESET_ZERO and RESET_DELAY = 0;
  constant ZERO_LATER       : boolean := RESET_KIND = RESET_ZERO and RESET_DELAY = 1;
  constant SUBTRACT_AT_ONCE : boolean := RESET_KIND = RESET_SUBTRACT and RESET_DELAY = 0;
  constant SUBTRACT_LATER   : boolean := RESET_KIND = RESET_SUBTRACT and RESET_DELAY = 1;
  constant CLAMPS           : boolean := RESET_KIND = RESET_CLAMP;
  constant FIRES_ONCE       : boolean := RESET_KIND = RESET_ONCE;

  -- A membrane above its range has always fired when the threshold lies inside the range, and a reset at once to a
  -- value then replaces it: the upper saturation could never be seen.
  constant SATURATES_HIGH : boolean := not ((ZERO_AT_ONCE or FIRES_ONCE) and not FIRES_SELDOM
                                            and to_signed(maximum_of(THRESHOLDS), SUM_BITS) < HIGH);

  -- One word when all neurons of the lane agree, so that it folds into the logic.
  constant THRESHOLD_TABLE : memory_t := table_of(THRESHOLDS, STATE_BITS);
  constant RESET_TABLE     : memory_t := table_of(RESET_VALUES, STATE_BITS);
  constant STARTS          : boolean  := any_nonzero(INITIAL_VALUES);
  constant START_TABLE     : memory_t := table_of(negated(INITIAL_VALUES), STATE_BITS + 1);
  constant BIASED          : boolean  := any_nonzero(BIAS_VALUES);
  constant BIAS_TABLE      : memory_t := table_of(negated(BIAS_VALUES), SUM_BITS);

  constant UNIFORM_LEAK     : boolean := all_equal(LEAK_MULTIPLIERS);
  constant LEAK_DIGITS      : integer_vector := signed_digits(LEAK_MULTIPLIERS(LEAK_MULTIPLIERS'low));
  constant MULTIPLIER_BITS  : positive := index_bits(maximum_of(LEAK_MULTIPLIERS) + 1) + 1;
  constant MULTIPLIER_TABLE : memory_t := table_of(LEAK_MULTIPLIERS, MULTIPLIER_BITS);

  signal state, total, constant_now              : signed(SUM_BITS - 1 downto 0);
  signal threshold, reset_value                  : signed(STATE_BITS - 1 downto 0);
  signal multiplier                              : unsigned(MULTIPLIER_BITS - 1 downto 0);
  signal spiked, remembered                      : std_logic;  -- spike of this step; of the previous, or any before
  signal resets, too_low, too_high               : std_logic;  -- found by compare
  signal zero_now, take_drive, take_lost         : std_logic;
begin

  threshold   <= signed(entry(THRESHOLD_TABLE, group_index));
  reset_value <= signed(entry(RESET_TABLE, group_index));

  multiplier  <= unsigned(entry(MULTIPLIER_TABLE, group_index));

  -- Everything that is asked at the end of a step. It costs nothing in the meantime, neither power nor simulation time.
  judge : process (clk)
    variable above_threshold : std_logic;
  begin
    if rising_edge(clk) then
      if compare = '1' then
        -- The comparison precedes saturation; that changes its answer only for a threshold at the top of the range.
        above_threshold := above(state, unsigned(threshold(STATE_BITS - 2 downto 0)));
        if RESET_KIND = RESET_NONE or threshold = TOP then
          above_threshold := '0';
        end if;
        if CLAMPS and remembered = '1' then
          above_threshold := above(reset_value, unsigned(threshold(STATE_BITS - 2 downto 0)));
        end if;
        if FIRES_ONCE and remembered = '1' then
          above_threshold := '0';
        end if;
        if FIRES_SELDOM and silent = '1' then
          above_threshold := '0';
        end if;
        spiked <= above_threshold;

        resets <= '0';
        if ZERO_AT_ONCE then
          resets <= above_threshold;
        elsif CLAMPS then
          resets <= remembered;
        elsif FIRES_ONCE then
          resets <= remembered or above_threshold;
        end if;

        -- Outside the range: the bits above the membrane's sign differ from the sum's sign.
        too_low <= state(SUM_BITS - 1) and not (and state(SUM_BITS - 2 downto STATE_BITS - 1));
        too_high <= '0';
        if SATURATES_HIGH then
          too_high <= not state(SUM_BITS - 1) and (or state(SUM_BITS - 2 downto STATE_BITS - 1));
        end if;
      end if;
      if clear = '1' then
        spiked <= '0';
      end if;
    end if;
  end process;

  spike <= spiked;

  with_unwind : if ZERO_LATER generate
    zero_now <= clear or (wipe and (resets or too_low or too_high)) or (unwind and remembered);
  else generate
    zero_now <= clear or (wipe and (resets or too_low or too_high));
  end generate;

  -- Ends of the range are written bit by bit: GHDL 2.0 translates constants of more than 32 bits to Verilog strings.
  choose_constant : process (all)
    variable chosen : signed(SUM_BITS - 1 downto 0);
  begin
    chosen := ZERO;
    if settle = '1' then
      if resets = '1' then
        chosen := ZERO - resize(reset_value, SUM_BITS);
      elsif too_low = '1' then
        chosen(STATE_BITS - 1) := '1';                                 -- minus the lower end
      elsif too_high = '1' then
        if SUBTRACT_AT_ONCE and threshold /= TOP and (spiked = '1' or not FIRES_SELDOM) then
          chosen := resize(threshold - TOP, SUM_BITS);
        else
          chosen(SUM_BITS - 1 downto STATE_BITS - 1) := (others => '1');  -- minus the upper end
          chosen(0) := '1';
        end if;
      elsif SUBTRACT_AT_ONCE and spiked = '1' then
        chosen := resize(threshold, SUM_BITS);
      end if;
    end if;
    if (amend and remembered) = '1' then
      if SUBTRACT_LATER then
        chosen := resize(threshold, SUM_BITS);
      elsif ZERO_LATER then
        chosen := ZERO - resize(reset_value, SUM_BITS);
      end if;
    end if;
    -- Operations exclude each other, so these are the only ones that set a bit: "or" is smaller than a choice.
    if STARTS and start = '1' then
      chosen := chosen or resize(signed(entry(START_TABLE, group_index)), SUM_BITS);
    end if;
    if BIASED and bias = '1' then
      chosen := chosen or signed(entry(BIAS_TABLE, bias_index & group_index));
    end if;
    constant_now <= chosen;
  end process;

  -- The choice of the operand shares the LUTs in front of the carry chain: two select bits, state, drive, what is lost.
  subtract_operand : process (all)
    variable shifted, operand : signed(SUM_BITS - 1 downto 0);
    variable borrowed         : signed(SUM_BITS downto 0);
  begin
    if take_drive = '1' and take_lost = '1' then
      operand := state;
    elsif take_drive = '1' then
      shifted := ZERO;
      shifted(SUM_BITS - 1 downto DRIVE_SHIFT) := resize(drive, SUM_BITS - DRIVE_SHIFT);
      operand := not shifted;
    elsif take_lost = '1' then
      -- what the membrane loses; it was saturated, so STATE_BITS hold it
      if UNIFORM_LEAK then
        operand := resize(leak_by_constant(state(STATE_BITS - 1 downto 0), LEAK_DIGITS, LEAK_SHIFT), SUM_BITS);
      else
        operand := resize(leak_by_product(state(STATE_BITS - 1 downto 0), multiplier, LEAK_SHIFT), SUM_BITS);
      end if;
    else
      operand := constant_now;
    end if;
    -- the extra lowest bit brings in the borrow that "add" needs
    borrowed := (state & add_n) - (operand & '1');
    total    <= borrowed(SUM_BITS downto 1);
  end process;

  one_neuron : if GROUPS = 1 generate
    spike_flag : if FIRES_ONCE generate
      signal fired : std_logic;
    begin
      remembered <= fired;
      process (clk)
      begin
        if rising_edge(clk) then
          if clear = '1' then
            fired <= '0';
          elsif settle = '1' then
            fired <= fired or spiked;
          end if;
        end if;
      end process;
    else generate
      remembered <= spiked;
    end generate;
    take_drive <= add;
    take_lost  <= leak;
    membrane   <= state(STATE_BITS - 1 downto 0);
    process (clk)
    begin
      if rising_edge(clk) then
        if zero_now = '1' then                -- the flip-flops' reset input, instead of v - v
          state <= ZERO;
        elsif write = '1' then
          state <= total;
        end if;
      end if;
    end process;
  else generate
    type states_t is array (GROUPS - 1 downto 0) of signed(SUM_BITS - 1 downto 0);
    -- Any start value would do in hardware, but v - v of an undefined value stays undefined in a simulator.
    signal states : states_t := (others => ZERO);
  begin
    take_drive <= add or zero_now;
    take_lost  <= leak or zero_now;
    membrane   <= total(STATE_BITS - 1 downto 0);
    state      <= states(to_integer(group_index));
    process (clk)
    begin
      if rising_edge(clk) then
        if write = '1' then
          states(to_integer(group_index)) <= total;
        end if;
      end if;
    end process;

    spike_memory : if CLAMPS or FIRES_ONCE or ZERO_LATER or SUBTRACT_LATER generate
      type spikes_t is array (GROUPS - 1 downto 0) of std_logic_vector(0 downto 0);
      signal spikes   : spikes_t;
      signal remember : std_logic;
      signal entered  : std_logic_vector(0 downto 0);
    begin
      remembered <= spikes(to_integer(group_index))(0);
      remember   <= settle or clear;
      held : if FIRES_ONCE generate
        entered(0) <= (spiked or remembered) and not clear;
      else generate
        entered(0) <= spiked and not clear;
      end generate;
      process (clk)
      begin
        if rising_edge(clk) then
          if remember = '1' then
            spikes(to_integer(group_index)) <= entered;
          end if;
        end if;
      end process;
    else generate
      remembered <= '0';
    end generate;
  end generate;

end architecture;
