-- Decides which operation the lanes of a layer carry out next. Every operation walks over the groups of neurons.
--
-- A step: [unwind amend] leak [amend], add per event until the tick, add per bias row, [transfer], and compare, wipe,
-- settle group by group. What begins the next step follows at once, so it is done while the layer waits for events.
-- In a recurrent layer the spikes of the step before are events too: they go first where both kinds wait, and the tick
-- is taken only when the last of them has left the layer and come back.
-- Operations reach the lanes three cycles after they are chosen, all by the same path, so they never overtake each
-- other and nothing ever has to drain.
library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;
use work.snn_pkg.all;

entity sequencer is
  generic (
    INPUTS         : positive;
    NEURONS        : positive;
    FEEDBACK_ROWS  : natural;            -- of the layer's own spikes; 0: not recurrent
    BIAS_ROWS      : natural;
    LATE_BIAS_ROWS : natural;            -- not added in the first step of a sample
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
    -- own spikes of the step before
    own_valid   : in  std_logic;
    own_address : in  unsigned(index_bits(NEURONS) - 1 downto 0);
    own_taken   : out std_logic;
    own_held    : out std_logic;                             -- an event is under way: the next spike has to wait
    own_idle    : in  std_logic;                             -- no spike waits
    -- weight memory, two cycles before its word is used
    address     : out unsigned(index_bits((INPUTS + FEEDBACK_ROWS + BIAS_ROWS + LATE_BIAS_ROWS) * GROUPS) - 1 downto 0);
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
  constant RECURRENT    : boolean  := FEEDBACK_ROWS > 0;
  constant ALL_BIAS     : natural  := BIAS_ROWS + LATE_BIAS_ROWS;
  constant ROWS         : positive := INPUTS + FEEDBACK_ROWS + ALL_BIAS;
  constant FIRST_BIAS   : natural  := minimum(INPUTS + FEEDBACK_ROWS, ROWS - 1);   -- without a bias not used
  constant ROW_BITS     : positive := index_bits(ROWS);
  constant ADDRESS_BITS : positive := index_bits(ROWS * GROUPS);
  constant GROUP_BITS   : positive := index_bits(GROUPS);
  constant BIAS_BITS    : positive := index_bits(ALL_BIAS + 1);

  type phase_t is (CLEARING, UNWINDING, AMENDING, LEAKING, LISTENING, ADDING_BIAS, TRANSFERRING, COMPARING, WIPING, SETTLING);
  signal phase, after_tick, after_bias, after_step, after_walk : phase_t;

  signal group_now, group_1, group_2       : unsigned(GROUP_BITS - 1 downto 0);
  signal address_now, address_next         : unsigned(ADDRESS_BITS - 1 downto 0);
  signal row                               : unsigned(ROW_BITS - 1 downto 0);
  signal bias_row                          : unsigned(BIAS_BITS - 1 downto 0);
  signal chosen, operation_1, operation_2  : operation_t;
  signal ending, pending                   : std_logic;  -- last step of the sample; output not finished
  signal walk, at_last, advance, last_bias : std_logic;
  signal own, own_now, complete, beginning : std_logic;  -- an own spike is next; none will come; first step
begin

  after_step <= CLEARING when ending = '1' else UNWINDING when UNWINDS else LEAKING;
  after_bias <= TRANSFERRING when CURRENT_BASED else COMPARING;
  after_tick <= ADDING_BIAS when BIAS_ROWS > 0 or (LATE_BIAS_ROWS > 0 and beginning = '0') else after_bias;

  at_last   <= '1' when group_now = GROUPS - 1 else '0';
  last_bias <= '1' when bias_row + 1 >= ALL_BIAS or (LATE_BIAS_ROWS > 0 and beginning = '1' and bias_row + 1 >= BIAS_ROWS)
               else '0';

  with_feedback : if RECURRENT generate
    own       <= own_valid;
    complete  <= own_idle and not pending;
    own_taken <= own and at_last when phase = LISTENING else '0';
    own_held  <= walk and not at_last when phase = LISTENING else '0';
    in_ready  <= (complete and in_tick) or (at_last and not own and not in_tick) when phase = LISTENING else '0';
  else generate
    own       <= '0';
    complete  <= '1';
    own_taken <= '0';
    own_held  <= '0';
    in_ready  <= (in_tick or at_last) when phase = LISTENING else '0';
  end generate;

  with_late_bias : if LATE_BIAS_ROWS > 0 generate
    process (clk)
    begin
      if rising_edge(clk) then
        if phase = CLEARING then
          beginning <= '1';
        elsif phase = SETTLING then
          beginning <= '0';
        end if;
      end if;
    end process;
  else generate
    beginning <= '0';
  end generate;

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
      chosen.add <= own or (in_valid and not in_tick);
      walk <= own or (in_valid and not in_tick);
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
      if phase = LISTENING and (in_valid and in_tick and complete) = '1' then
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

  row <= to_unsigned(FIRST_BIAS, ROW_BITS) + bias_row when ALL_BIAS > 0 and phase = ADDING_BIAS else
         resize(own_address, ROW_BITS) when RECURRENT and own_now = '1' else
         resize(in_address, ROW_BITS);

  own_now <= own when phase = LISTENING else '0';

  -- The row in the first group, then one group further each cycle.
  single : if GROUPS = 1 generate
    address_next <= row + INPUTS when RECURRENT and own_now = '1' else row;
  else generate
    signal start, stride : unsigned(ADDRESS_BITS - 1 downto 0);
    signal summed        : unsigned(ADDRESS_BITS downto 0);
    signal first         : std_logic;
  begin
    first  <= '1' when group_now = 0 else '0';
    start  <= resize(row, ADDRESS_BITS) when first = '1' else address_now;
    stride <= to_unsigned(ROWS, ADDRESS_BITS) when first = '0' else
              to_unsigned(INPUTS, ADDRESS_BITS) when RECURRENT and own_now = '1' else
              (ADDRESS_BITS - 1 downto 0 => '0');
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
