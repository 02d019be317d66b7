"""The network between torch and hardware: NIR at the border, HardwareGraph inside, the golden model as its meaning."""
