-- Turns an event of a convolution, or of a pooling, into what it reaches: one beat per word of weights, with the address of
-- that word and the group of neurons that it is for. The weights themselves are stored once.
--
-- An input line is a place (row, column) of a channel. Tables of the generated package list, for every coordinate along an
-- axis, the taps that reach an output: every position of the window, and of the poolings before it, that covers the
-- coordinate. Padding, stride and dilation are in those lists. A tap says where its output and where its weight lie, as
-- parts of sums over the axes, so that no address needs a multiplier:
--   group  = of the row's tap + of the column's tap + of the channel + turn
--   weight = of the row's tap + of the column's tap + of the channel + turn
-- Three stages, each with its register: decode the event; walk over row taps, column taps and turns; add. A tick goes the same way.
library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;
use work.snn_pkg.all;
use work.network_pkg.all;

entity address_generator is
  generic (
    INDEX : natural                                         -- of the layer
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
    out_address : out unsigned(index_bits(LAYERS(INDEX).words) - 1 downto 0);
    out_group   : out unsigned(index_bits(LAYERS(INDEX).groups) - 1 downto 0);
    out_value   : out signed(maximum(LAYERS(INDEX).value_bits, 1) - 1 downto 0)
  );
end entity;

architecture rtl of address_generator is
  constant L            : layer_t  := LAYERS(INDEX);
  constant PLACES       : positive := L.in_rows * L.in_columns;
  constant ADDRESS_BITS : positive := index_bits(L.words);
  constant GROUP_BITS   : positive := index_bits(L.groups);
  constant TURN_BITS    : positive := index_bits(L.turns);
  constant ROW_BITS     : positive := index_bits(L.in_rows);
  constant COLUMN_BITS  : positive := index_bits(L.in_columns);
  constant CHANNEL_BITS : positive := index_bits(L.in_channels);

  -- Places for taps in the lists of one coordinate: a power of two, so that coordinate and tap together are the index.
  constant ROW_LISTS       : integer_vector := tap_groups_of(INDEX, ROW_AXIS);
  constant COLUMN_LISTS    : integer_vector := tap_groups_of(INDEX, COLUMN_AXIS);
  constant ROW_TAP_BITS    : positive := index_bits(ROW_LISTS'length / L.in_rows);
  constant COLUMN_TAP_BITS : positive := index_bits(COLUMN_LISTS'length / L.in_columns);

  -- One bit more than the numbers take: the words of a table are signed.
  constant ROW_COUNTS      : memory_t := table_of(tap_counts_of(INDEX, ROW_AXIS), ROW_TAP_BITS + 2);
  constant ROW_GROUPS      : memory_t := table_of(ROW_LISTS, GROUP_BITS + 1);
  constant ROW_WEIGHTS     : memory_t := table_of(tap_weights_of(INDEX, ROW_AXIS), ADDRESS_BITS + 1);
  constant COLUMN_COUNTS   : memory_t := table_of(tap_counts_of(INDEX, COLUMN_AXIS), COLUMN_TAP_BITS + 2);
  constant COLUMN_GROUPS   : memory_t := table_of(COLUMN_LISTS, GROUP_BITS + 1);
  constant COLUMN_WEIGHTS  : memory_t := table_of(tap_weights_of(INDEX, COLUMN_AXIS), ADDRESS_BITS + 1);
  constant CHANNEL_GROUPS  : memory_t := table_of(tap_groups_of(INDEX, CHANNEL_AXIS), GROUP_BITS + 1);
  constant CHANNEL_WEIGHTS : memory_t := table_of(tap_weights_of(INDEX, CHANNEL_AXIS), ADDRESS_BITS + 1);

  -- 1: the event, decoded
  signal place                      : unsigned(index_bits(PLACES) - 1 downto 0);
  signal place_row                  : unsigned(ROW_BITS - 1 downto 0);
  signal occupied, tick_1, last_1   : std_logic;
  signal row                        : unsigned(ROW_BITS - 1 downto 0);
  signal column                     : unsigned(COLUMN_BITS - 1 downto 0);
  signal channel                    : unsigned(CHANNEL_BITS - 1 downto 0);
  signal value_1                    : signed(in_value'range);
  -- the walk over what it reaches
  signal row_count                  : unsigned(ROW_TAP_BITS downto 0);
  signal column_count               : unsigned(COLUMN_TAP_BITS downto 0);
  signal row_tap                    : unsigned(ROW_TAP_BITS - 1 downto 0);
  signal column_tap                 : unsigned(COLUMN_TAP_BITS - 1 downto 0);
  signal turn                       : unsigned(TURN_BITS - 1 downto 0);
  signal row_end, column_end, turn_end, nothing, finish, emit, move : std_logic;
  -- 2: parts of the sums
  signal valid_2, tick_2, last_2    : std_logic;
  signal row_group, column_group, channel_group : unsigned(GROUP_BITS - 1 downto 0);
  signal row_weight, column_weight, channel_weight : unsigned(ADDRESS_BITS - 1 downto 0);
  signal turn_2                     : unsigned(TURN_BITS - 1 downto 0);
  signal value_2                    : signed(in_value'range);
  -- 3: the beat
  signal valid_3                    : std_logic;
begin

  place     <= resize(quotient(in_address, L.in_channels, L.inputs), index_bits(PLACES));
  place_row <= resize(quotient(place, L.in_columns, PLACES), ROW_BITS);

  row_count    <= unsigned(entry(ROW_COUNTS, row)(ROW_TAP_BITS downto 0));
  column_count <= unsigned(entry(COLUMN_COUNTS, column)(COLUMN_TAP_BITS downto 0));

  row_end    <= '1' when resize(row_tap, ROW_TAP_BITS + 1) + 1 = row_count else '0';
  column_end <= '1' when resize(column_tap, COLUMN_TAP_BITS + 1) + 1 = column_count else '0';
  turn_end   <= '1' when turn = L.turns - 1 else '0';
  nothing    <= '1' when row_count = 0 or column_count = 0 else '0';

  finish   <= tick_1 or nothing or (row_end and column_end and turn_end);
  emit     <= occupied and (tick_1 or not nothing);
  move     <= out_ready or not valid_3;
  in_ready <= not occupied or (finish and move);

  out_valid <= valid_3;

  control : process (clk)
  begin
    if rising_edge(clk) then
      if (in_ready and in_valid) = '1' then
        occupied <= '1';
      elsif (finish and move) = '1' then
        occupied <= '0';
      end if;
      if move = '1' then
        valid_2 <= emit;
        valid_3 <= valid_2;
      end if;
      if (occupied and move) = '1' then
        if (turn_end or finish) = '1' then
          turn <= (TURN_BITS - 1 downto 0 => '0');
        else
          turn <= turn + 1;
        end if;
        if finish = '1' then
          row_tap    <= (ROW_TAP_BITS - 1 downto 0 => '0');
          column_tap <= (COLUMN_TAP_BITS - 1 downto 0 => '0');
        elsif turn_end = '1' then
          if column_end = '1' then
            column_tap <= (COLUMN_TAP_BITS - 1 downto 0 => '0');
            row_tap    <= row_tap + 1;
          else
            column_tap <= column_tap + 1;
          end if;
        end if;
      end if;
      if rst = '1' then
        occupied   <= '0';
        valid_2    <= '0';
        valid_3    <= '0';
        turn       <= (TURN_BITS - 1 downto 0 => '0');
        row_tap    <= (ROW_TAP_BITS - 1 downto 0 => '0');
        column_tap <= (COLUMN_TAP_BITS - 1 downto 0 => '0');
      end if;
    end if;
  end process;

  data : process (clk)
  begin
    if rising_edge(clk) then
      if in_ready = '1' then
        tick_1  <= in_tick;
        last_1  <= in_last;
        value_1 <= in_value;
        -- the rest of a division needs no more bits than it has
        row     <= place_row;
        column  <= resize(place, COLUMN_BITS) - times(place_row, L.in_columns, COLUMN_BITS);
        channel <= resize(in_address, CHANNEL_BITS) - times(place, L.in_channels, CHANNEL_BITS);
      end if;
      if move = '1' then
        tick_2         <= tick_1;
        last_2         <= last_1;
        value_2        <= value_1;
        turn_2         <= turn;
        row_group      <= unsigned(entry(ROW_GROUPS, row & row_tap)(GROUP_BITS - 1 downto 0));
        row_weight     <= unsigned(entry(ROW_WEIGHTS, row & row_tap)(ADDRESS_BITS - 1 downto 0));
        column_group   <= unsigned(entry(COLUMN_GROUPS, column & column_tap)(GROUP_BITS - 1 downto 0));
        column_weight  <= unsigned(entry(COLUMN_WEIGHTS, column & column_tap)(ADDRESS_BITS - 1 downto 0));
        channel_group  <= unsigned(entry(CHANNEL_GROUPS, channel)(GROUP_BITS - 1 downto 0));
        channel_weight <= unsigned(entry(CHANNEL_WEIGHTS, channel)(ADDRESS_BITS - 1 downto 0));
        out_tick       <= tick_2;
        out_last       <= last_2;
        out_value      <= value_2;
        out_group      <= (row_group + column_group) + (channel_group + turn_2);
        out_address    <= (row_weight + column_weight) + (channel_weight + turn_2);
      end if;
    end if;
  end process;

end architecture;
