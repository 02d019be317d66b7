"""SpiNNaker: one readable PyNN script per network, proved on NEST, emulated in fixed point, mapped by sPyNNaker."""
