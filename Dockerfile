# Everything in one image: the project, its pinned dependencies and the hardware tools.
#   docker build -t lightning-neuro .
#   docker run --rm -v "$PWD/outputs:/project/outputs" lightning-neuro train.py model=lif
#   docker run --rm -v "$PWD/outputs:/project/outputs" --entrypoint deploy lightning-neuro outputs/latest/best.ckpt target=fpga
FROM python:3.11-slim-bookworm

RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends ghdl-mcode iverilog yosys \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /project

# Editable, so that `python train.py` and `deploy` share one copy; COPY keeps the two symbolic links.
COPY . .
RUN pip install --no-cache-dir --constraint constraints.txt --editable '.[test]'

ENTRYPOINT ["python"]
CMD ["train.py", "--help"]
