-- Decides which operation the lanes of a layer carry out next. Every operation walks over the groups of neurons.
--
-- A sample: clear, [start], then steps. A step: [unwind amend] [leak] [amend], add per event until the tick, bias per
-- constant, [transfer], and compare, wipe, settle group by group. What begins the next step follows at once, so it is done
-- while the layer waits for events.
-- Behind an address generator an event is one word of weights for one group; else the sequencer walks over the groups.
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
    INPUTS         : positive;           -- addresses of events
    NEURONS        : positive;
    FEEDBACK_ROWS  : natural;            -- of the layer's own spikes; 0: not recurrent
    GROUPS         : positive;
    WORDS          : positive;           -- of weights
    SPREAD         : boolean;            -- events come from an address generator: their address is that of a word
    BIASES         : natural;            -- constants
    BIAS_ONSETS    : integer_vector;     -- first step of each
    BIAS_ENDS      : integer_vector;     -- first step without it again; 0: none
    FIRES_FROM     : natural;            -- first step in which neurons may fire
    FIRES_UNTIL    : natural;            -- first step in which they may not again; 0: none
    CURRENT_BASED  : boolean;
    STARTS         : boolean;            -- membranes begin at a value other than zero
    LEAKS          : boolean;
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
    in_group    : in  unsigned(index_bits(GROUPS) - 1 downto 0);  -- only behind an address generator
    -- own spikes of the step before
    own_valid   : in  std_logic;
    own_address : in  unsigned(index_bits(NEURONS) - 1 downto 0);
    own_taken   : out std_logic;
    own_held    : out std_logic;                             -- an event is under way: the next spike has to wait
    own_idle    : in  std_logic;                             -- no spike waits
    -- weight memory, two cycles before its word is used
    address     : out unsigned(index_bits(WORDS) - 1 downto 0);
    -- lanes
    operation   : out operation_t;
    group_index : out unsigned(index_bits(GROUPS) - 1 downto 0);
    bias_index  : out unsigned(index_bits(maximum(BIASES, 1)) - 1 downto 0);
    -- output: one group at a time
    last_group  : out std_logic;
    last_step   : out std_logic;
    done        : in  std_logic
  );
end entity;

architecture rtl of sequencer is
  constant RECURRENT    : boolean  := FEEDBACK_ROWS > 0;
  constant ROWS         : positive := INPUTS + FEEDBACK_ROWS;
  constant ROW_BITS     : positive := index_bits(ROWS);
  constant ADDRESS_BITS : positive := index_bits(WORDS);
  constant GROUP_BITS   : positive := index_bits(GROUPS);
  constant BIAS_BITS    : positive := index_bits(maximum(BIASES, 1));

  -- Steps are counted as far as something depends on them.
  constant STEPS     : natural  := maximum(maximum(FIRES_FROM, FIRES_UNTIL), maximum(maximum_of(BIAS_ONSETS), maximum_of(BIAS_ENDS)));
  constant STEP_BITS : positive := index_bits(STEPS + 1);

  type phase_t is (CLEARING, STARTING, UNWINDING, AMENDING, LEAKING, LISTENING, ADDING_BIAS, TRANSFERRING, COMPARING,
                   WIPING, SETTLING);
  signal phase, after_tick, after_bias, after_step, after_walk, before_events : phase_t;

  signal group_now, group_1, group_2       : unsigned(GROUP_BITS - 1 downto 0);
  signal address_now, address_next         : unsigned(ADDRESS_BITS - 1 downto 0);
  signal row                               : unsigned(ROW_BITS - 1 downto 0);
  signal bias_now                          : unsigned(BIAS_BITS - 1 downto 0);
  signal step_now                          : unsigned(STEP_BITS - 1 downto 0);
  signal chosen, operation_1, operation_2  : operation_t;
  signal ending, pending                   : std_logic;  -- last step of the sample; output not finished
  signal walk, at_last, advance, over      : std_logic;
  signal biased, last_bias                 : std_logic;  -- the bias counts in this step; it is the last one
  signal own, own_now, complete            : std_logic;  -- an own spike is next; none will come
begin

  before_events <= LEAKING when LEAKS else AMENDING when AMENDS_LAST else LISTENING;
  after_step    <= CLEARING when ending = '1' else UNWINDING when UNWINDS else before_events;
  after_bias    <= TRANSFERRING when CURRENT_BASED else COMPARING;
  after_tick    <= ADDING_BIAS when BIASES > 0 else after_bias;

  at_last   <= '1' when group_now = GROUPS - 1 else '0';
  last_bias <= '1' when bias_now = maximum(BIASES, 1) - 1 else '0';
  over      <= at_last or not biased when phase = ADDING_BIAS else at_last;  -- a constant that does not count is over at once

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
    in_ready  <= '1' when phase = LISTENING and (in_tick = '1' or at_last = '1' or SPREAD) else '0';
  end generate;

  counting : if STEPS > 0 generate
    process (clk)
    begin
      if rising_edge(clk) then
        if phase = CLEARING then
          step_now <= (STEP_BITS - 1 downto 0 => '0');
        elsif phase = SETTLING and at_last = '1' and step_now < STEPS then
          step_now <= step_now + 1;
        end if;
      end if;
    end process;
  else generate
    step_now <= (STEP_BITS - 1 downto 0 => '0');
  end generate;

  windows : process (all)
  begin
    biased <= '0';
    for k in 0 to BIASES - 1 loop
      if bias_now = k and step_now >= BIAS_ONSETS(BIAS_ONSETS'low + k)
        and (BIAS_ENDS(BIAS_ENDS'low + k) = 0 or step_now < BIAS_ENDS(BIAS_ENDS'low + k)) then
        biased <= '1';
      end if;
    end loop;
  end process;

  -- walk: an operation is chosen for this group; advance: on to the next group.
  choose : process (all)
  begin
    chosen <= NO_OPERATION;
    walk <= '1';
    advance <= '1';
    if phase = CLEARING then
      chosen.clear <= '1';
    elsif phase = STARTING then
      chosen.start <= '1';
    elsif phase = UNWINDING then
      chosen.unwind <= '1';
    elsif phase = AMENDING then
      chosen.amend <= '1';
    elsif phase = LEAKING then
      chosen.leak <= '1';
    elsif phase = LISTENING then
      chosen.add <= own or (in_valid and not in_tick);
      walk <= own or (in_valid and not in_tick);
      if SPREAD then
        advance <= '0';
      end if;
    elsif phase = ADDING_BIAS then
      chosen.bias <= biased;
      advance <= biased;
    elsif phase = TRANSFERRING then
      chosen.transfer <= '1';
    elsif phase = COMPARING then
      chosen.compare <= not pending;
      if step_now < FIRES_FROM or (FIRES_UNTIL > 0 and step_now >= FIRES_UNTIL) then
        chosen.silent <= not pending;
      end if;
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
    if phase = CLEARING and STARTS then
      after_walk <= STARTING;
    elsif phase = STARTING and LEAKS then
      after_walk <= LEAKING;
    elsif phase = UNWINDING then
      if AMENDS_FIRST then
        after_walk <= AMENDING;
      else
        after_walk <= before_events;
      end if;
    elsif phase = AMENDING and AMENDS_FIRST then
      after_walk <= before_events;
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
      elsif (walk and over) = '1' then
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
        bias_now <= (BIAS_BITS - 1 downto 0 => '0');
      elsif over = '1' then
        bias_now <= bias_now + 1;
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

  row <= resize(own_address, ROW_BITS) when RECURRENT and own_now = '1' else resize(in_address, ROW_BITS);

  own_now <= own when phase = LISTENING else '0';

  -- The row in the first group, then one group further each cycle.
  single : if SPREAD generate
    address_next <= in_address;
  elsif GROUPS = 1 generate
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

  which_bias : if BIASES > 1 generate
    signal bias_1, bias_2 : unsigned(BIAS_BITS - 1 downto 0);
  begin
    process (clk)
    begin
      if rising_edge(clk) then
        bias_1 <= bias_now;
        bias_2 <= bias_1;
        bias_index <= bias_2;
      end if;
    end process;
  else generate
    bias_index <= (BIAS_BITS - 1 downto 0 => '0');
  end generate;

  -- One register for the address, two that go with the two of the weight memory.
  travel : process (clk)
  begin
    if rising_edge(clk) then
      if chosen.add = '1' then               -- otherwise the memory keeps still
        address_now <= address_next;
      end if;
      if SPREAD and phase = LISTENING then
        group_1 <= in_group;
      else
        group_1 <= group_now;
      end if;
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
