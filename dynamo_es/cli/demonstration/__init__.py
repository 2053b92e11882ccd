"""What ``dynamo-es demo`` and ``dynamo-es ui --demo`` show, on an emulator in this process."""
