-- Own spikes of a recurrent layer on their way into its next step: a queue with room for one spike of every neuron.
-- The sequencer empties it before it ends a step, so it can never overflow and never makes the output wait.
library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;
use work.snn_pkg.all;

entity spike_feedback is
  generic (
    NEURONS : positive
  );
  port (
    clk           : in  std_logic;
    rst           : in  std_logic;
    store         : in  std_logic;                           -- a spike leaves the layer
    store_address : in  unsigned(index_bits(NEURONS) - 1 downto 0);
    held          : in  std_logic;                           -- valid must not change now
    taken         : in  std_logic;                           -- the spike was added
    valid         : out std_logic;
    address       : out unsigned(index_bits(NEURONS) - 1 downto 0);
    idle          : out std_logic                            -- no spike is left
  );
end entity;

architecture rtl of spike_feedback is
  constant BITS : positive := index_bits(NEURONS);

  type addresses_t is array (2 ** BITS - 1 downto 0) of unsigned(BITS - 1 downto 0);
  signal addresses         : addresses_t;
  -- One bit more than an address: they agree when the queue is empty, not when it is full.
  signal stored, fetched   : unsigned(BITS downto 0);
  signal empty, fetch, now : std_logic;
begin

  empty <= '1' when stored = fetched else '0';
  fetch <= not (empty or held) and (taken or not now);
  valid <= now;
  idle  <= empty and not now;

  process (clk)
  begin
    if rising_edge(clk) then
      if store = '1' then
        addresses(to_integer(stored(BITS - 1 downto 0))) <= store_address;
        stored <= stored + 1;
      end if;
      if fetch = '1' then
        address <= addresses(to_integer(fetched(BITS - 1 downto 0)));
        fetched <= fetched + 1;
      end if;
      now <= fetch or (now and not taken);
      if rst = '1' then
        stored <= (stored'range => '0');
        fetched <= (fetched'range => '0');
        now <= '0';
      end if;
    end if;
  end process;

end architecture;
