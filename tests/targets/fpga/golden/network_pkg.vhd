-- Generated: constants and weight memories of this network.
-- Everything else in this folder is the same for all networks.
library ieee;
use ieee.std_logic_1164.all;
use work.snn_pkg.all;

package network_pkg is

  constant LAYERS : layers_t(0 to 1) := (
    0 => (  -- hidden
      inputs             => 5,
      value_bits         => 0,
      feedback_rows      => 0,
      neurons            => 6,
      lanes              => 4,
      groups             => 2,
      spreads            => false,
      in_rows            => 1,
      in_columns         => 1,
      in_channels        => 5,
      turns              => 2,
      words              => 10,
      weight_bits        => 4,
      weight_shift       => 0,
      biases             => 0,
      fires_from         => 0,
      fires_until        => 0,
      state_bits         => 8,
      sum_bits           => 9,
      leak_shift         => 3,
      reset_kind         => RESET_ZERO,
      reset_delay        => 0,
      current_based      => false,
      current_bits       => 1,
      current_leak_shift => 0,
      emits_membranes    => false),
    1 => (  -- output
      inputs             => 6,
      value_bits         => 0,
      feedback_rows      => 0,
      neurons            => 3,
      lanes              => 3,
      groups             => 1,
      spreads            => false,
      in_rows            => 1,
      in_columns         => 1,
      in_channels        => 6,
      turns              => 1,
      words              => 6,
      weight_bits        => 4,
      weight_shift       => 0,
      biases             => 0,
      fires_from         => 0,
      fires_until        => 0,
      state_bits         => 8,
      sum_bits           => 9,
      leak_shift         => 3,
      reset_kind         => RESET_ZERO,
      reset_delay        => 0,
      current_based      => false,
      current_bits       => 1,
      current_leak_shift => 0,
      emits_membranes    => false));

  constant INPUT_ADDRESS_BITS  : positive := 3;
  constant INPUT_VALUE_BITS    : positive := 1;
  constant OUTPUT_ADDRESS_BITS : positive := 2;
  constant OUTPUT_VALUE_BITS   : positive := 8;

  constant THRESHOLDS_0 : integer_vector(0 to 5) := (others => 18);
  constant RESET_VALUES_0 : integer_vector(0 to 5) := (others => 0);
  constant INITIAL_VALUES_0 : integer_vector(0 to 5) := (others => 0);
  constant BIASES_0 : integer_vector(0 to 0) := (others => 0);
  constant BIAS_ONSETS_0 : integer_vector(0 to 0) := (others => 0);
  constant BIAS_ENDS_0 : integer_vector(0 to 0) := (others => 0);
  constant LEAK_MULTIPLIERS_0 : integer_vector(0 to 5) := (others => 1);
  constant CURRENT_LEAK_MULTIPLIERS_0 : integer_vector(0 to 0) := (others => 0);
  constant WEIGHTS_0 : memory_t(9 downto 0)(15 downto 0) := (
    0 => x"630d",
    1 => x"0d52",
    2 => x"52f7",
    3 => x"f741",
    4 => x"41e6",
    5 => x"001e",
    6 => x"0063",
    7 => x"000d",
    8 => x"0052",
    9 => x"00f7");

  constant THRESHOLDS_1 : integer_vector(0 to 2) := (others => 18);
  constant RESET_VALUES_1 : integer_vector(0 to 2) := (others => 0);
  constant INITIAL_VALUES_1 : integer_vector(0 to 2) := (others => 0);
  constant BIASES_1 : integer_vector(0 to 0) := (others => 0);
  constant BIAS_ONSETS_1 : integer_vector(0 to 0) := (others => 0);
  constant BIAS_ENDS_1 : integer_vector(0 to 0) := (others => 0);
  constant LEAK_MULTIPLIERS_1 : integer_vector(0 to 2) := (others => 1);
  constant CURRENT_LEAK_MULTIPLIERS_1 : integer_vector(0 to 0) := (others => 0);
  constant WEIGHTS_1 : memory_t(5 downto 0)(11 downto 0) := (
    0 => x"46d",
    1 => x"024",
    2 => x"7e0",
    3 => x"357",
    4 => x"f13",
    5 => x"6df");

  -- The tables of one layer, for generics.
  function weights_of(index : natural) return memory_t;
  function thresholds_of(index : natural) return integer_vector;
  function reset_values_of(index : natural) return integer_vector;
  function leak_multipliers_of(index : natural) return integer_vector;
  function current_leak_multipliers_of(index : natural) return integer_vector;
  function initial_values_of(index : natural) return integer_vector;
  function biases_of(index : natural) return integer_vector;
  function bias_onsets_of(index : natural) return integer_vector;
  function bias_ends_of(index : natural) return integer_vector;
  function tap_counts_of(index : natural; axis : axis_t) return integer_vector;
  function tap_groups_of(index : natural; axis : axis_t) return integer_vector;
  function tap_weights_of(index : natural; axis : axis_t) return integer_vector;

end package;

package body network_pkg is

  function weights_of(index : natural) return memory_t is
  begin
    if index = 0 then
      return WEIGHTS_0;
    end if;
    return WEIGHTS_1;
  end function;

  function thresholds_of(index : natural) return integer_vector is
  begin
    if index = 0 then
      return THRESHOLDS_0;
    end if;
    return THRESHOLDS_1;
  end function;

  function reset_values_of(index : natural) return integer_vector is
  begin
    if index = 0 then
      return RESET_VALUES_0;
    end if;
    return RESET_VALUES_1;
  end function;

  function leak_multipliers_of(index : natural) return integer_vector is
  begin
    if index = 0 then
      return LEAK_MULTIPLIERS_0;
    end if;
    return LEAK_MULTIPLIERS_1;
  end function;

  function current_leak_multipliers_of(index : natural) return integer_vector is
  begin
    if index = 0 then
      return CURRENT_LEAK_MULTIPLIERS_0;
    end if;
    return CURRENT_LEAK_MULTIPLIERS_1;
  end function;

  function initial_values_of(index : natural) return integer_vector is
  begin
    if index = 0 then
      return INITIAL_VALUES_0;
    end if;
    return INITIAL_VALUES_1;
  end function;

  function biases_of(index : natural) return integer_vector is
  begin
    if index = 0 then
      return BIASES_0;
    end if;
    return BIASES_1;
  end function;

  function bias_onsets_of(index : natural) return integer_vector is
  begin
    if index = 0 then
      return BIAS_ONSETS_0;
    end if;
    return BIAS_ONSETS_1;
  end function;

  function bias_ends_of(index : natural) return integer_vector is
  begin
    if index = 0 then
      return BIAS_ENDS_0;
    end if;
    return BIAS_ENDS_1;
  end function;

  function tap_counts_of(index : natural; axis : axis_t) return integer_vector is
  begin
    return integer_vector'(0 to 0 => 0);
  end function;

  function tap_groups_of(index : natural; axis : axis_t) return integer_vector is
  begin
    return integer_vector'(0 to 0 => 0);
  end function;

  function tap_weights_of(index : natural; axis : axis_t) return integer_vector is
  begin
    return integer_vector'(0 to 0 => 0);
  end function;

end package body;
