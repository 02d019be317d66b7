-- Sends the membranes of a read-out layer: one beat per neuron and step, in order, and a tick beat after the last one.
library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;
use work.snn_pkg.all;

entity membrane_output is
  generic (
    NEURONS    : positive;
    LANES      : positive;
    STATE_BITS : positive
  );
  port (
    clk         : in  std_logic;
    rst         : in  std_logic;
    load        : in  std_logic;                             -- one group's membranes; never before done
    last_group  : in  std_logic;                             -- it is the last group of the step; held until done
    last_step   : in  std_logic;                             -- of the last step of the sample; held until done
    membranes   : in  std_logic_vector(LANES * STATE_BITS - 1 downto 0);
    done        : out std_logic;                             -- all beats of the group were taken
    out_valid   : out std_logic;
    out_ready   : in  std_logic;
    out_tick    : out std_logic;
    out_last    : out std_logic;
    out_address : out unsigned(index_bits(NEURONS) - 1 downto 0);
    out_value   : out signed(STATE_BITS - 1 downto 0)
  );
end entity;

architecture rtl of membrane_output is
  signal held                  : std_logic_vector(LANES * STATE_BITS - 1 downto 0);
  signal lane                  : unsigned(index_bits(LANES) - 1 downto 0);
  signal address               : unsigned(index_bits(NEURONS) - 1 downto 0);
  signal sending, tick, finish : std_logic;                  -- membranes are left; only the tick is left
begin

  out_valid   <= sending or tick;
  out_tick    <= tick;
  out_last    <= last_step;
  out_address <= address;
  finish      <= '1' when lane = LANES - 1 or address = NEURONS - 1 else '0';
  done        <= out_ready and (tick or (sending and finish and not last_group));

  select_value : process (all)
  begin
    out_value <= signed(held(STATE_BITS - 1 downto 0));
    for k in 1 to LANES - 1 loop
      if lane = k then
        out_value <= signed(held((k + 1) * STATE_BITS - 1 downto k * STATE_BITS));
      end if;
    end loop;
  end process;

  process (clk)
  begin
    if rising_edge(clk) then
      if load = '1' then
        held    <= membranes;
        lane    <= (lane'range => '0');
        sending <= '1';
      elsif out_ready = '1' then
        tick <= sending and finish and last_group;
        if sending = '1' then
          lane    <= lane + 1;
          address <= address + 1;
          sending <= not finish;
        end if;
        if tick = '1' then
          address <= (address'range => '0');
        end if;
      end if;
      if rst = '1' then
        sending <= '0';
        tick    <= '0';
        address <= (address'range => '0');
      end if;
    end if;
  end process;

end architecture;
