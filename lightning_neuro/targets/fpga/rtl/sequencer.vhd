-- Decides which operation the lanes of a layer carry out next. Every operation walks over the groups of neurons.
--
-- A step: [unwind amend] leak [amend], add per event until the tick, add per bias row, [transfer], and compare, wipe,
-- settle group by group. What begins the next step follows at once, so it is done while the layer waits for events.
-- Operations reach the lanes three cycles after they are chosen, all by the same path, so they never overtake each
-- other and nothing ever has to drain.
library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;
use work.snn_pkg.all;

entity sequencer is
  generic (
    INPUTS         : positive;
    BIAS_ROWS      : natural;
    GROUPS         : positive;
    CURRENT_BASED  : boolean;
    UNWINDS        : boolean;            -- a delayed reset to a value ...
    AMENDS_FIRST   : boolean;            -- ... other than zero
    AMENDS_LAST    : boolean             -- a delayed reset by subtraction
  );
  port (
    clk         : in  std_logic;
    rst         : in  std_logic;
    -- events
    in_valid    : in  std_logic;
    in_ready    : out std_logic;
    in_tick     : in  std_logic;
    in_last     : in  std_logic;
    in_address  : in  unsigned(index_bits(INPUTS) - 1 downto 0);
    -- weight memory, two cycles before its word is used
    address     : out unsigned(index_bits((INPUTS + BIAS_ROWS) * GROUPS) - 1 downto 0);
    -- lanes
    operation   : out operation_t;
    group_index : out unsigned(index_bits(GROUPS) - 1 downto 0);
    -- output: one group at a time
    last_group  : out std_logic;
    last_step   : out std_logic;
    done        : in  std_logic
  );
end entity;

architecture rtl of sequencer is
  constant ROWS         : positive := INPUTS + BIAS_ROWS;
  constant FIRST_BIAS   : natural  := minimum(INPUTS, ROWS - 1);   -- without a bias not used
  constant ROW_BITS     : positive := index_bits(ROWS);
  constant ADDRESS_BITS : positive := index_bits(ROWS * GROUPS);
  constant GROUP_BITS   : positive := index_bits(GROUPS);
  constant BIAS_BITS    : positive := index_bits(BIAS_ROWS + 1);

  type phase_t is (CLEARING, UNWINDING, AMENDING, LEAKING, LISTENING, ADDING_BIAS, TRANSFERRING, COMPARING, WIPING, SETTLING);
  signal phase, after_tick, after_bias, after_step, after_walk : phase_t;

  signal group_now, group_1, group_2       : unsigned(GROUP_BITS - 1 downto 0);
  signal address_now, address_next         : unsigned(ADDRESS_BITS - 1 downto 0);
  signal row                               : unsigned(ROW_BITS - 1 downto 0);
  signal bias_row                          : unsigned(BIAS_BITS - 1 downto 0);
  signal chosen, operation_1, operation_2  : operation_t;
  signal ending, pending                   : std_logic;  -- last step of the sample; output not finished
  signal walk, at_last, advance, last_bias : std_logic;
begin

  after_step <= CLEARING when ending = '1' else UNWINDING when UNWINDS else LEAKING;
  after_bias <= TRANSFERRING when CURRENT_BASED else COMPARING;
  after_tick <= ADDING_BIAS when BIAS_ROWS > 0 else after_bias;

  at_last   <= '1' when group_now = GROUPS - 1 else '0';
  last_bias <= '1' when bias_row + 1 >= BIAS_ROWS else '0';

  in_ready <= (in_tick or at_last) when phase = LISTENING else '0';

  -- walk: an operation is chosen for this group; advance: on to the next group.
  choose : process (all)
  begin
    chosen <= NO_OPERATION;
    walk <= '1';
    advance <= '1';
    if phase = CLEARING then
      chosen.clear <= '1';
    elsif phase = UNWINDING then
      chosen.unwind <= '1';
    elsif phase = AMENDING then
      chosen.amend <= '1';
    elsif phase = LEAKING then
      chosen.leak <= '1';
    elsif phase = LISTENING then
      chosen.add <= in_valid and not in_tick;
      walk <= in_valid and not in_tick;
    elsif phase = ADDING_BIAS then
      chosen.add <= '1';
    elsif phase = TRANSFERRING then
      chosen.transfer <= '1';
    elsif phase = COMPARING then
      chosen.compare <= not pending;
      walk <= not pending;
      advance <= '0';
    elsif phase = WIPING then
      chosen.wipe <= '1';
      advance <= '0';
    else
      chosen.settle <= '1';
    end if;
  end process;

  -- Where a walk ends.
  follow : process (all)
  begin
    after_walk <= LISTENING;
    if phase = UNWINDING then
      if AMENDS_FIRST then
        after_walk <= AMENDING;
      else
        after_walk <= LEAKING;
      end if;
    elsif phase = AMENDING and AMENDS_FIRST then
      after_walk <= LEAKING;
    elsif phase = LEAKING and AMENDS_LAST then
      after_walk <= AMENDING;
    elsif phase = ADDING_BIAS then
      if last_bias = '1' then
        after_walk <= after_bias;
      else
        after_walk <= ADDING_BIAS;
      end if;
    elsif phase = TRANSFERRING then
      after_walk <= COMPARING;
    elsif phase = SETTLING then
      after_walk <= after_step;
    end if;
  end process;

  control : process (clk)
  begin
    if rising_edge(clk) then
      if phase = LISTENING and (in_valid and in_tick) = '1' then
        phase <= after_tick;
        ending <= in_last;
      elsif phase = COMPARING then
        if walk = '1' then
          phase <= WIPING;
        end if;
      elsif phase = WIPING then
        phase <= SETTLING;
      elsif (walk and at_last) = '1' then
        phase <= after_walk;
      elsif phase = SETTLING then
        phase <= COMPARING;
      end if;

      if (walk and advance) = '1' then
        if at_last = '1' then
          group_now <= (GROUP_BITS - 1 downto 0 => '0');
        else
          group_now <= group_now + 1;
        end if;
      end if;

      if phase = LISTENING then
        bias_row <= (BIAS_BITS - 1 downto 0 => '0');
      elsif at_last = '1' then
        bias_row <= bias_row + 1;
      end if;

      if chosen.compare = '1' then
        pending <= '1';
      elsif done = '1' then
        pending <= '0';
      end if;
      if chosen.settle = '1' then
        last_group <= at_last;
        last_step <= ending;
      end if;

      if rst = '1' then
        phase <= CLEARING;
        group_now <= (GROUP_BITS - 1 downto 0 => '0');
        pending <= '0';
      end if;
    end if;
  end process;

  row <= to_unsigned(FIRST_BIAS, ROW_BITS) + bias_row when BIAS_ROWS > 0 and phase = ADDING_BIAS else
         resize(in_address, ROW_BITS);

  -- The row in the first group, then one group further each cycle.
  single : if GROUPS = 1 generate
    address_next <= row;
  else generate
    signal start, stride : unsigned(ADDRESS_BITS - 1 downto 0);
    signal summed        : unsigned(ADDRESS_BITS downto 0);
    signal first         : std_logic;
  begin
    first  <= '1' when group_now = 0 else '0';
    start  <= resize(row, ADDRESS_BITS) when first = '1' else address_now;
    stride <= (ADDRESS_BITS - 1 downto 0 => '0') when first = '1' else to_unsigned(ROWS, ADDRESS_BITS);
    -- start + stride, written as a subtraction so that the choice of start fits into the adder's own LUTs
    summed <= (stride & '0') - (not start & '1');
    address_next <= summed(ADDRESS_BITS downto 1);
  end generate;

  address <= address_now;

  -- One register for the address, two that go with the two of the weight memory.
  travel : process (clk)
  begin
    if rising_edge(clk) then
      if chosen.add = '1' then               -- otherwise the memory keeps still
        address_now <= address_next;
      end if;
      group_1 <= group_now;
      group_2 <= group_1;
      group_index <= group_2;
      operation_1 <= chosen;
      operation_2 <= operation_1;
      operation <= operation_2;
      if rst = '1' then
        address_now <= (ADDRESS_BITS - 1 downto 0 => '0');
        operation_1 <= NO_OPERATION;
        operation_2 <= NO_OPERATION;
        operation <= NO_OPERATION;
      end if;
    end if;
  end process;

end architecture;
