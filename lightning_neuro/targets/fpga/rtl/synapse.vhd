-- Exponential synaptic currents of one lane: i <- i - leak(i) at the start of a step, i <- i + w for every event, and the
-- constants at its end.
-- The width is chosen so that the current never saturates.
library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;
use work.snn_pkg.all;

entity synapse is
  generic (
    GROUPS           : positive;
    WEIGHT_BITS      : positive;
    WEIGHT_SHIFT     : natural;
    CURRENT_BITS     : positive;
    BIASES           : positive;                            -- rows of the table of constants, 1 where there are none
    BIAS_VALUES      : integer_vector;                      -- of rows_of_lane
    LEAK_MULTIPLIERS : integer_vector;
    LEAK_SHIFT       : natural
  );
  port (
    clk         : in  std_logic;
    group_index : in  unsigned(index_bits(GROUPS) - 1 downto 0);
    bias_index  : in  unsigned(index_bits(BIASES) - 1 downto 0);
    clear       : in  std_logic;
    leak        : in  std_logic;
    add         : in  std_logic;
    add_n       : in  std_logic;                            -- not add
    bias        : in  std_logic;
    weight      : in  signed(WEIGHT_BITS - 1 downto 0);
    current     : out signed(CURRENT_BITS - 1 downto 0)     -- before this cycle's operation
  );
end entity;

architecture rtl of synapse is
  constant BIASED     : boolean  := any_nonzero(BIAS_VALUES);
  constant BIAS_TABLE : memory_t := table_of(negated(BIAS_VALUES), CURRENT_BITS);
  signal state, lost, operand, updated : signed(CURRENT_BITS - 1 downto 0);
  signal borrowed : signed(CURRENT_BITS downto 0);
  signal write : std_logic;
begin

  uniform : if all_equal(LEAK_MULTIPLIERS) generate
    lost <= leak_by_constant(state, signed_digits(LEAK_MULTIPLIERS(LEAK_MULTIPLIERS'low)), LEAK_SHIFT);
  else generate
    constant BITS : positive := index_bits(maximum_of(LEAK_MULTIPLIERS) + 1) + 1;
    constant MULTIPLIERS : memory_t := table_of(LEAK_MULTIPLIERS, BITS);
  begin
    lost <= leak_by_product(state, unsigned(entry(MULTIPLIERS, group_index)), LEAK_SHIFT);
  end generate;

  process (all)
    variable shifted : signed(CURRENT_BITS - 1 downto 0);
  begin
    shifted := (CURRENT_BITS - 1 downto 0 => '0');
    shifted(CURRENT_BITS - 1 downto WEIGHT_SHIFT) := resize(weight, CURRENT_BITS - WEIGHT_SHIFT);
    if add = '1' then
      operand <= not shifted;
    elsif BIASED and bias = '1' then
      operand <= signed(entry(BIAS_TABLE, bias_index & group_index));
    else
      operand <= lost;
    end if;
  end process;

  -- Plus is minus "not" minus one; see neuron.vhd.
  borrowed <= (state & add_n) - (operand & '1');
  updated <= (CURRENT_BITS - 1 downto 0 => '0') when clear = '1' else borrowed(CURRENT_BITS downto 1);
  with_bias : if BIASED generate
    write <= clear or leak or add or bias;
  else generate
    write <= clear or leak or add;
  end generate;
  current <= state;

  one_group : if GROUPS = 1 generate
    process (clk)
    begin
      if rising_edge(clk) then
        if write = '1' then
          state <= updated;
        end if;
      end if;
    end process;
  else generate
    type states_t is array (GROUPS - 1 downto 0) of signed(CURRENT_BITS - 1 downto 0);
    signal states : states_t;
  begin
    state <= states(to_integer(group_index));
    process (clk)
    begin
      if rising_edge(clk) then
        if write = '1' then
          states(to_integer(group_index)) <= updated;
        end if;
      end if;
    end process;
  end generate;

end architecture;
