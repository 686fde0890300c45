"""What the microscope shows: HTML that needs nothing but itself, and the same as figures."""
