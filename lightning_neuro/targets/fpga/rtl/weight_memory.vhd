-- A slice of the weights of one layer: a constant table read through two registers (the second one is the block RAM's output
-- register), so that neither the address nor the data path limits the clock.
library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;
use work.snn_pkg.all;
use work.network_pkg.all;

entity weight_memory is
  generic (
    INDEX : natural;                                        -- of the layer
    DEPTH : positive;
    FIRST : natural;                                        -- lowest bit of the slice
    WIDTH : positive
  );
  port (
    clk     : in  std_logic;
    address : in  unsigned(index_bits(DEPTH) - 1 downto 0);
    word    : out std_logic_vector(WIDTH - 1 downto 0)      -- two cycles after the address
  );
end entity;

architecture rtl of weight_memory is
  -- Two words at least: a table with a single one is no memory, and not every tool copes with it.
  constant WORDS   : positive := maximum(DEPTH, 2);
  constant CONTENT : memory_t(WORDS - 1 downto 0)(WIDTH - 1 downto 0) :=
    slice_of(weights_of(INDEX), FIRST, WIDTH, WORDS);
  attribute rom_style : string;
  attribute rom_style of CONTENT : constant is "block";
  signal fetched : std_logic_vector(WIDTH - 1 downto 0);
begin

  process (clk)
  begin
    if rising_edge(clk) then
      fetched <= CONTENT(to_integer(address));
      word    <= fetched;
    end if;
  end process;

end architecture;
