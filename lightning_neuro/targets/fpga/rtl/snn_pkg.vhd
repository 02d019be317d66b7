-- Types and elaboration-time functions shared by every file; nothing in here becomes logic except the two leak
-- functions and the comparison.
--
-- Style rule for all files: no "case ... others", no "with ... select", no shift_right on signed, no partial port
-- association. Those constructs are legal but not every open tool that reads this code translates them correctly.
library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;

package snn_pkg is

  type reset_kind_t is (RESET_NONE, RESET_ZERO, RESET_SUBTRACT, RESET_CLAMP, RESET_ONCE);

  -- What one layer is; all numbers are chosen by the package writer, per layer.
  type layer_t is record
    inputs             : positive;      -- input lines
    value_bits         : natural;       -- an input event carries a number of so many bits; 0: it is a spike
    feedback_rows      : natural;       -- weight rows of the layer's own spikes of the step before: neurons, or 0
    neurons            : positive;
    lanes              : positive;      -- neurons updated per clock cycle
    groups             : positive;      -- ceil(neurons / lanes)
    spreads            : boolean;       -- an address generator tells what an event reaches; else it reaches all groups
    in_rows            : positive;      -- input line = (row * in_columns + column) * in_channels + channel
    in_columns         : positive;
    in_channels        : positive;
    turns              : positive;      -- words of weights that an event takes at every place it reaches
    words              : positive;      -- words of weights in all
    weight_bits        : positive;
    weight_shift       : natural;       -- weight LSB (times input LSB) = membrane LSB * 2**weight_shift
    biases             : natural;       -- constants added to every neuron, each in steps of its own
    fires_from         : natural;       -- no spike before this step of a sample
    fires_until        : natural;       -- no spike from this step on; 0: spikes to its end
    state_bits         : positive;      -- membrane between steps
    sum_bits           : positive;      -- holds the exact sum of a step before the one saturation
    leak_shift         : natural;
    reset_kind         : reset_kind_t;
    reset_delay        : natural;
    current_based      : boolean;       -- an exponential synaptic current drives the membrane
    current_bits       : positive;
    current_leak_shift : natural;
    emits_membranes    : boolean;       -- the output stream carries membranes instead of spikes
  end record;

  -- Along which an event is spread.
  type axis_t is (ROW_AXIS, COLUMN_AXIS, CHANNEL_AXIS);

  type layers_t is array (natural range <>) of layer_t;

  -- What the lanes do in a cycle (neuron.vhd says what each means); at most one is set, and silent.
  type operation_t is record
    clear    : std_logic;
    start    : std_logic;               -- initial membranes
    unwind   : std_logic;
    amend    : std_logic;
    leak     : std_logic;
    add      : std_logic;               -- weights of one row
    bias     : std_logic;               -- one of the constants
    transfer : std_logic;               -- synaptic currents to the membranes
    compare  : std_logic;
    silent   : std_logic;               -- with compare: nothing may fire in this step
    wipe     : std_logic;
    settle   : std_logic;
  end record;

  constant NO_OPERATION : operation_t := (others => '0');

  -- What an event adds: a weight, times the number that the event carries.
  function added_bits_of(layer : layer_t) return positive;

  -- What drives a membrane: that, or a synaptic current that already counts in membrane LSBs.
  function drive_bits_of(layer : layer_t) return positive;
  function drive_shift_of(layer : layer_t) return natural;

  -- Where the lanes and membranes of a layer stand in the observation ports.
  function lanes_before(layers : layers_t; layer_index : natural) return natural;
  function membrane_bits_before(layers : layers_t; layer_index : natural) return natural;
  function widest_address(layers : layers_t) return positive;

  -- Weight memory: one word holds the weights of all lanes for one input and one group.
  type memory_t is array (natural range <>) of std_logic_vector;

  -- Bits of an index 0 .. count-1, at least one.
  function index_bits(count : positive) return positive;

  -- Constants of the neurons of one lane: neuron = group * lanes + lane; the last one pads an unfinished group.
  function of_lane(values : integer_vector; lane : natural; lanes : positive; groups : positive) return integer_vector;

  -- The same for what is added to membranes, in several rows; neurons that do not exist get 0, so that they never fire. The entry of (row, group) lies at row & group, taken as one number;
  -- places between are filled so that a single row, or one that repeats itself, still folds in table_of.
  function rows_of_lane(values : integer_vector; rows : positive; lane : natural; lanes : positive; groups : positive)
    return integer_vector;

  function negated(values : integer_vector) return integer_vector;

  -- Zeros when the condition holds, else the values.
  function unless(condition : boolean; values : integer_vector) return integer_vector;

  function choice(condition : boolean; one, other : positive) return positive;

  function all_equal(values : integer_vector) return boolean;

  function any_nonzero(values : integer_vector) return boolean;

  function maximum_of(values : integer_vector) return integer;

  -- Bits per memory block: the widest port that a 36-kbit block RAM offers at this depth, so that no word is put
  -- together from blocks in depth (which would cost multiplexers).
  function slice_bits(depth : positive; word_bits : positive) return positive;

  -- Some bits of every word; zeros behind the last word.
  function slice_of(words : memory_t; first : natural; word_bits, depth : positive) return memory_t;

  -- The shortest power of two after which all values repeat; their number when there is none.
  function period_of(values : integer_vector) return positive;

  -- Integers as a table of words, as many as it takes until they repeat: a single word when all are equal.
  function table_of(values : integer_vector; bits : positive) return memory_t;

  -- Word of such a table for an index.
  function entry(words : memory_t; group_index : unsigned) return std_logic_vector;

  -- Non-adjacent signed digits (-1, 0, 1) of a constant, least significant first: the fewest adders for a product.
  function signed_digits(constant_value : natural) return integer_vector;

  -- floor(value * constant / 2**shift), the constant given by its digits: additions of shifted values.
  function leak_by_constant(value : signed; digits : integer_vector; shift : natural) return signed;

  -- value * factor, the constant factor as additions of shifted values; modulo 2**bits.
  function times(value : unsigned; factor : natural; bits : positive) return unsigned;

  -- value / divisor, for values that are less than most; the divisor is a constant.
  function quotient(value : unsigned; divisor, most : positive) return unsigned;

  -- floor(value * multiplier / 2**shift) with a multiplier from a table.
  function leak_by_product(value : signed; multiplier : unsigned; shift : natural) return signed;

  -- value > threshold for a threshold that is not negative. A ripple of and/or per bit: with a constant threshold
  -- five bits fit one LUT6, where a subtractor would take one LUT per bit.
  function above(value : signed; threshold : unsigned) return std_logic;

end package;

package body snn_pkg is

  function index_bits(count : positive) return positive is
    variable bits : positive := 1;
  begin
    while 2 ** bits < count loop
      bits := bits + 1;
    end loop;
    return bits;
  end function;

  function added_bits_of(layer : layer_t) return positive is
  begin
    return layer.weight_bits + layer.value_bits;
  end function;

  function drive_bits_of(layer : layer_t) return positive is
  begin
    if layer.current_based then
      return layer.current_bits;
    end if;
    return added_bits_of(layer);
  end function;

  function drive_shift_of(layer : layer_t) return natural is
  begin
    if layer.current_based then
      return 0;
    end if;
    return layer.weight_shift;
  end function;

  function lanes_before(layers : layers_t; layer_index : natural) return natural is
    variable total : natural := 0;
  begin
    for k in 0 to layer_index - 1 loop
      total := total + layers(k).lanes;
    end loop;
    return total;
  end function;

  function membrane_bits_before(layers : layers_t; layer_index : natural) return natural is
    variable total : natural := 0;
  begin
    for k in 0 to layer_index - 1 loop
      total := total + layers(k).lanes * layers(k).state_bits;
    end loop;
    return total;
  end function;

  function widest_address(layers : layers_t) return positive is
    variable widest : positive := 1;
  begin
    for k in layers'range loop
      widest := maximum(widest, maximum(index_bits(layers(k).inputs), index_bits(layers(k).neurons)));
    end loop;
    return widest;
  end function;

  function of_lane(values : integer_vector; lane : natural; lanes : positive; groups : positive) return integer_vector is
    variable result : integer_vector(0 to groups - 1);
    variable neuron : natural;
  begin
    for group_index in 0 to groups - 1 loop
      neuron := minimum(group_index * lanes + lane, values'length - 1);
      result(group_index) := values(values'low + neuron);
    end loop;
    return result;
  end function;

  function rows_of_lane(values : integer_vector; rows : positive; lane : natural; lanes : positive; groups : positive)
    return integer_vector is
    constant ROW_LENGTH : positive := values'length / rows;
    constant STRIDE     : positive := 2 ** index_bits(groups);
    variable result  : integer_vector(0 to 2 ** index_bits(rows) * STRIDE - 1);
    variable row, neuron : natural;
  begin
    for k in result'range loop
      row := (k / STRIDE) mod rows;
      neuron := ((k mod STRIDE) mod groups) * lanes + lane;
      if neuron < ROW_LENGTH then
        result(k) := values(values'low + row * ROW_LENGTH + neuron);
      else
        result(k) := 0;
      end if;
    end loop;
    return result;
  end function;

  function negated(values : integer_vector) return integer_vector is
    variable result : integer_vector(0 to values'length - 1);
  begin
    for k in result'range loop
      result(k) := -values(values'low + k);
    end loop;
    return result;
  end function;

  function unless(condition : boolean; values : integer_vector) return integer_vector is
    variable zeros : integer_vector(0 to values'length - 1) := (others => 0);
  begin
    if condition then
      return zeros;
    end if;
    return values;
  end function;

  function choice(condition : boolean; one, other : positive) return positive is
  begin
    if condition then
      return one;
    end if;
    return other;
  end function;

  function all_equal(values : integer_vector) return boolean is
  begin
    for k in values'range loop
      if values(k) /= values(values'low) then
        return false;
      end if;
    end loop;
    return true;
  end function;

  function maximum_of(values : integer_vector) return integer is
    variable result : integer := values(values'low);
  begin
    for k in values'range loop
      if values(k) > result then
        result := values(k);
      end if;
    end loop;
    return result;
  end function;

  function slice_bits(depth : positive; word_bits : positive) return positive is
  begin
    if depth <= 2048 then
      return word_bits;                     -- 18 bits and more: nothing to gain
    elsif depth <= 4096 then
      return minimum(word_bits, 9);
    elsif depth <= 8192 then
      return minimum(word_bits, 4);
    elsif depth <= 16384 then
      return minimum(word_bits, 2);
    end if;
    return 1;
  end function;

  function slice_of(words : memory_t; first : natural; word_bits, depth : positive) return memory_t is
    variable result : memory_t(depth - 1 downto 0)(word_bits - 1 downto 0);
  begin
    for k in result'range loop
      if k < words'length then
        result(k) := words(k)(first + word_bits - 1 downto first);
      else
        result(k) := (word_bits - 1 downto 0 => '0');
      end if;
    end loop;
    return result;
  end function;

  function period_of(values : integer_vector) return positive is
    variable period  : positive := 1;
    variable repeats : boolean;
  begin
    while period < values'length loop
      repeats := true;
      for k in period to values'length - 1 loop
        repeats := repeats and values(values'low + k) = values(values'low + k - period);
      end loop;
      if repeats then
        return period;
      end if;
      period := period * 2;
    end loop;
    return values'length;
  end function;

  function table_of(values : integer_vector; bits : positive) return memory_t is
    variable words : memory_t(period_of(values) - 1 downto 0)(bits - 1 downto 0);
  begin
    for k in words'range loop
      words(k) := std_logic_vector(to_signed(values(values'low + k), bits));
    end loop;
    return words;
  end function;

  function entry(words : memory_t; group_index : unsigned) return std_logic_vector is
  begin
    if words'length = 1 then
      return words(0);
    end if;
    return words(to_integer(resize(group_index, index_bits(words'length))));
  end function;

  function any_nonzero(values : integer_vector) return boolean is
  begin
    for k in values'range loop
      if values(k) /= 0 then
        return true;
      end if;
    end loop;
    return false;
  end function;

  function signed_digits(constant_value : natural) return integer_vector is
    variable digits : integer_vector(0 to 18) := (0 to 18 => 0);
    variable rest   : natural := constant_value;
  begin
    for k in digits'range loop
      if rest mod 2 = 1 then
        digits(k) := 2 - (rest mod 4);
        rest := rest - digits(k);
      end if;
      rest := rest / 2;
    end loop;
    return digits;
  end function;

  function leak_by_constant(value : signed; digits : integer_vector; shift : natural) return signed is
    constant WIDTH : positive := value'length + digits'length + 1;
    variable term  : signed(WIDTH - 1 downto 0);
    variable total : signed(WIDTH - 1 downto 0) := (WIDTH - 1 downto 0 => '0');
  begin
    for k in digits'range loop
      if digits(k) /= 0 then
        term := (WIDTH - 1 downto 0 => '0');
        term(WIDTH - 1 downto k) := resize(value, WIDTH - k);
        if digits(k) > 0 then
          total := total + term;
        else
          total := total - term;
        end if;
      end if;
    end loop;
    return resize(total(WIDTH - 1 downto shift), value'length);
  end function;

  function times(value : unsigned; factor : natural; bits : positive) return unsigned is
    constant FACTOR_DIGITS : integer_vector := signed_digits(factor);
    variable term   : unsigned(bits - 1 downto 0);
    variable total  : unsigned(bits - 1 downto 0) := (bits - 1 downto 0 => '0');
  begin
    for k in FACTOR_DIGITS'range loop
      if FACTOR_DIGITS(k) /= 0 and k < bits then
        term := (bits - 1 downto 0 => '0');
        term(bits - 1 downto k) := resize(value, bits - k);
        if FACTOR_DIGITS(k) > 0 then
          total := total + term;
        else
          total := total - term;
        end if;
      end if;
    end loop;
    return total;
  end function;

  -- Multiplication by 2**PLACES / divisor, rounded up: exact while divisor * most <= 2**PLACES.
  function quotient(value : unsigned; divisor, most : positive) return unsigned is
    constant PLACES  : natural  := index_bits(divisor) + index_bits(most);
    constant WIDTH   : positive := index_bits(most);
    variable product : unsigned(PLACES + WIDTH downto 0);
  begin
    if divisor = 1 then
      return resize(value, WIDTH);
    elsif most <= divisor then
      return (WIDTH - 1 downto 0 => '0');
    elsif 2 ** index_bits(divisor) = divisor then
      return resize(value(value'high downto value'low + index_bits(divisor)), WIDTH);
    end if;
    product := times(value, (2 ** PLACES + divisor - 1) / divisor, PLACES + WIDTH + 1);
    return product(PLACES + WIDTH - 1 downto PLACES);
  end function;

  function leak_by_product(value : signed; multiplier : unsigned; shift : natural) return signed is
    constant WIDTH : positive := value'length + multiplier'length + 1;
    variable product : signed(WIDTH - 1 downto 0);
  begin
    product := value * signed('0' & multiplier);
    return resize(product(WIDTH - 1 downto shift), value'length);
  end function;

  function above(value : signed; threshold : unsigned) return std_logic is
    variable greater : std_logic := '0';
  begin
    for k in 0 to value'length - 2 loop
      if k < threshold'length then
        greater := (value(value'low + k) and greater)
                   or ((value(value'low + k) or greater) and not threshold(threshold'low + k));
      else
        greater := value(value'low + k) or greater;
      end if;
    end loop;
    return greater and not value(value'high);
  end function;

end package body;
