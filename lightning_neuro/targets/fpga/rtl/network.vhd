-- All layers in a row, each a stage of a pipeline: while layer k works on step t, layer k+1 works on step t-1 or waits;
-- the handshakes between them are the only coupling. The observation ports show every spike and membrane of every
-- step; the top level leaves them open.
library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;
use work.snn_pkg.all;
use work.network_pkg.all;

entity network is
  port (
    clk         : in  std_logic;
    rst         : in  std_logic;                             -- synchronous, active high
    in_valid    : in  std_logic;
    in_ready    : out std_logic;
    in_tick     : in  std_logic;                             -- end of a step; carries no event
    in_last     : in  std_logic;                             -- with a tick: end of the sample
    in_address  : in  std_logic_vector(INPUT_ADDRESS_BITS - 1 downto 0);
    in_value    : in  std_logic_vector(INPUT_VALUE_BITS - 1 downto 0);   -- of the event, where events carry numbers
    out_valid   : out std_logic;
    out_ready   : in  std_logic;
    out_tick    : out std_logic;
    out_last    : out std_logic;
    out_address : out std_logic_vector(OUTPUT_ADDRESS_BITS - 1 downto 0);
    out_value   : out std_logic_vector(OUTPUT_VALUE_BITS - 1 downto 0);
    -- observation: layer k drives bit k, respectively the bits from lanes_before(k), membrane_bits_before(k) on
    spikes_valid    : out std_logic_vector(LAYERS'length - 1 downto 0);
    membranes_valid : out std_logic_vector(LAYERS'length - 1 downto 0);
    spikes          : out std_logic_vector(lanes_before(LAYERS, LAYERS'length) - 1 downto 0);
    membranes       : out std_logic_vector(membrane_bits_before(LAYERS, LAYERS'length) - 1 downto 0)
  );
end entity;

architecture rtl of network is
  constant COUNT : positive := LAYERS'length;
  constant WIDTH : positive := widest_address(LAYERS);

  type addresses_t is array (natural range <>) of unsigned(WIDTH - 1 downto 0);
  -- Link k leads into layer k; link COUNT is the output.
  signal valid, ready, tick, last : std_logic_vector(COUNT downto 0);
  signal address                  : addresses_t(COUNT downto 0);
begin

  valid(0)   <= in_valid;
  tick(0)    <= in_tick;
  last(0)    <= in_last;
  address(0) <= resize(unsigned(in_address), WIDTH);
  in_ready   <= ready(0);

  out_valid    <= valid(COUNT);
  out_tick     <= tick(COUNT);
  out_last     <= last(COUNT) and tick(COUNT);
  out_address  <= std_logic_vector(address(COUNT)(OUTPUT_ADDRESS_BITS - 1 downto 0));
  ready(COUNT) <= out_ready;

  stages : for k in 0 to COUNT - 1 generate
    constant IN_BITS    : positive := index_bits(LAYERS(k).inputs);
    constant OUT_BITS   : positive := index_bits(LAYERS(k).neurons);
    constant FIRST_LANE : natural := lanes_before(LAYERS, k);
    constant END_LANE   : natural := lanes_before(LAYERS, k + 1);
    constant FIRST_BIT  : natural := membrane_bits_before(LAYERS, k);
    constant END_BIT    : natural := membrane_bits_before(LAYERS, k + 1);
    signal sent  : unsigned(OUT_BITS - 1 downto 0);
    signal value : signed(LAYERS(k).state_bits - 1 downto 0);
    signal number : signed(maximum(LAYERS(k).value_bits, 1) - 1 downto 0);
  begin
    first : if k = 0 generate
      number <= signed(in_value);
    else generate
      number <= (number'range => '0');
    end generate;

    stage : entity work.layer
      generic map (
        INDEX => k
      )
      port map (
        clk             => clk,
        rst             => rst,
        in_valid        => valid(k),
        in_ready        => ready(k),
        in_tick         => tick(k),
        in_last         => last(k),
        in_address      => address(k)(IN_BITS - 1 downto 0),
        in_value        => number,
        out_valid       => valid(k + 1),
        out_ready       => ready(k + 1),
        out_tick        => tick(k + 1),
        out_last        => last(k + 1),
        out_address     => sent,
        out_value       => value,
        spikes_valid    => spikes_valid(k),
        membranes_valid => membranes_valid(k),
        spikes          => spikes(END_LANE - 1 downto FIRST_LANE),
        membranes       => membranes(END_BIT - 1 downto FIRST_BIT)
      );
    address(k + 1) <= resize(sent, WIDTH);

    output_value : if k = COUNT - 1 generate
      out_value <= std_logic_vector(value);
    end generate;
  end generate;

end architecture;
