-- Turns the spikes of one group into address events: one beat per spike, lowest address first, and a tick beat after
-- the last group of a step. It looks at one word of spikes at a time, so its depth does not grow with the lanes.
library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;
use work.snn_pkg.all;

entity spike_scanner is
  generic (
    NEURONS : positive;
    LANES   : positive
  );
  port (
    clk         : in  std_logic;
    rst         : in  std_logic;
    load        : in  std_logic;                             -- one group's spikes; never before done
    last_group  : in  std_logic;                             -- it is the last group of the step; held until done
    last_step   : in  std_logic;                             -- of the last step of the sample; held until done
    spikes      : in  std_logic_vector(LANES - 1 downto 0);
    -- The next group may come: every word was fetched; of a step's last group, every beat was taken.
    done        : out std_logic;
    out_valid   : out std_logic;
    out_ready   : in  std_logic;
    out_tick    : out std_logic;
    out_last    : out std_logic;
    out_address : out unsigned(index_bits(NEURONS) - 1 downto 0)
  );
end entity;

architecture rtl of spike_scanner is
  constant WORD         : positive := minimum(LANES, 8);
  constant WORD_COUNT   : positive := (LANES + WORD - 1) / WORD;
  constant LAST_STRIDE  : positive := LANES - WORD * (WORD_COUNT - 1);
  constant ADDRESS_BITS : positive := index_bits(NEURONS);
  -- With words at multiples of a power of two, offset and position share no bit.
  constant ALIGNED      : boolean := LAST_STRIDE = WORD and 2 ** index_bits(WORD) = WORD;

  type words_t is array (0 to 2 ** index_bits(WORD_COUNT) - 1) of std_logic_vector(WORD - 1 downto 0);
  signal words                 : words_t;                                 -- padded, so that every pointer finds one
  signal held                  : std_logic_vector(WORD_COUNT * WORD - 1 downto 0);
  signal bits, rest            : std_logic_vector(WORD - 1 downto 0);     -- spikes of the word not yet sent
  signal pointer               : unsigned(index_bits(WORD_COUNT) - 1 downto 0);  -- next word to fetch
  signal offset, next_offset   : unsigned(ADDRESS_BITS - 1 downto 0);     -- address of the word's first neuron
  signal position              : unsigned(ADDRESS_BITS - 1 downto 0);     -- lowest spike within the word
  signal unread                : std_logic;                               -- words are left to fetch
  signal draining              : std_logic;                               -- the group is not finished
  signal occupied, tick, fetch : std_logic;
  signal last_word             : std_logic;
begin

  lowest : process (all)
    variable found : std_logic;
  begin
    found := '0';
    position <= (ADDRESS_BITS - 1 downto 0 => '0');
    for k in 0 to WORD - 1 loop
      rest(k) <= bits(k) and found;
      if bits(k) = '1' and found = '0' then
        position <= to_unsigned(k, ADDRESS_BITS);
      end if;
      found := found or bits(k);
    end loop;
    occupied <= found;
  end process;

  split : for k in 0 to words'high generate
    used : if k < WORD_COUNT generate
      words(k) <= held((k + 1) * WORD - 1 downto k * WORD);
    else generate
      words(k) <= (WORD - 1 downto 0 => '0');
    end generate;
  end generate;

  fetch     <= unread and not occupied;
  tick      <= draining and last_group and not (occupied or unread);
  done      <= (fetch and last_word and not last_group) or (tick and out_ready);
  last_word <= '1' when pointer = WORD_COUNT - 1 else '0';
  out_valid <= occupied or tick;
  out_tick  <= tick;
  out_last  <= last_step;

  -- A lane without a neuron in the last group never spikes, so no address beyond the last neuron can appear.
  aligned_words : if ALIGNED generate
    out_address <= offset or position;
  else generate
    out_address <= offset + position;
  end generate;

  process (clk)
  begin
    if rising_edge(clk) then
      if load = '1' then
        held <= std_logic_vector(resize(unsigned(spikes), WORD_COUNT * WORD));
      end if;

      if fetch = '1' then
        bits   <= words(to_integer(pointer));
        offset <= next_offset;
      elsif out_ready = '1' then
        bits <= rest;
      end if;

      if rst = '1' or done = '1' then
        pointer <= (pointer'range => '0');
      elsif fetch = '1' then
        pointer <= pointer + 1;
      end if;

      if rst = '1' or (done and last_group) = '1' then
        next_offset <= (next_offset'range => '0');
      elsif fetch = '1' then
        if last_word = '1' then
          next_offset <= next_offset + LAST_STRIDE;
        else
          next_offset <= next_offset + WORD;
        end if;
      end if;

      if load = '1' then
        unread <= '1';
      elsif (fetch and last_word) = '1' then
        unread <= '0';
      end if;
      if load = '1' then
        draining <= '1';
      elsif done = '1' then
        draining <= '0';
      end if;
      if rst = '1' then
        bits     <= (bits'range => '0');
        unread   <= '0';
        draining <= '0';
      end if;
    end if;
  end process;

end architecture;
