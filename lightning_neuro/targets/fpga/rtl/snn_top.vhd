-- Top level for synthesis: the network between two streams. See README.md for the interface.
library ieee;
use ieee.std_logic_1164.all;
use work.snn_pkg.all;
use work.network_pkg.all;

entity snn_top is
  port (
    clk         : in  std_logic;
    rst         : in  std_logic;
    in_valid    : in  std_logic;
    in_ready    : out std_logic;
    in_tick     : in  std_logic;
    in_last     : in  std_logic;
    in_address  : in  std_logic_vector(INPUT_ADDRESS_BITS - 1 downto 0);
    in_value    : in  std_logic_vector(INPUT_VALUE_BITS - 1 downto 0);
    out_valid   : out std_logic;
    out_ready   : in  std_logic;
    out_tick    : out std_logic;
    out_last    : out std_logic;
    out_address : out std_logic_vector(OUTPUT_ADDRESS_BITS - 1 downto 0);
    out_value   : out std_logic_vector(OUTPUT_VALUE_BITS - 1 downto 0)
  );
end entity;

architecture rtl of snn_top is
begin

  core : entity work.network
    port map (
      clk             => clk,
      rst             => rst,
      in_valid        => in_valid,
      in_ready        => in_ready,
      in_tick         => in_tick,
      in_last         => in_last,
      in_address      => in_address,
      in_value        => in_value,
      out_valid       => out_valid,
      out_ready       => out_ready,
      out_tick        => out_tick,
      out_last        => out_last,
      out_address     => out_address,
      out_value       => out_value,
      spikes_valid    => open,
      membranes_valid => open,
      spikes          => open,
      membranes       => open
    );

end architecture;
