"""What tests of several rooms share: invented data, small teachers, fixtures."""
