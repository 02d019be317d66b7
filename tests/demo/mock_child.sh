#!/bin/sh
# Stands for the Python that runs jobs: called as `python -m lightning_neuro.cli MODE NAME`.
case "$3" in
  works) echo '{"what": "epoch", "done": 2, "total": 5}' >> "$LIGHTNING_NEURO_PROGRESS"; touch "$4"; exit 0 ;;
  fails) echo "first line"; echo "no such simulator" >&2; exit 1 ;;
  mute) exit 3 ;;
  refuses)
    echo '{"refused": {"reason": "no spikes", "remedy": "model=lif"}}' >> "$LIGHTNING_NEURO_PROGRESS"
    echo "refused" >&2
    exit 2 ;;
  stays) sleep 600 & echo "$$ $!" > pids.new && mv pids.new pids; wait ;;
  variables) env ;;
esac
