"""Becomes a command to which the kernel keyring is closed, as containers close it: the errno is the first argument."""

import ctypes
import os
import platform
import sys

ADD_KEY, REQUEST_KEY, KEYCTL = {"x86_64": (248, 249, 250), "aarch64": (217, 218, 219)}[platform.machine()]
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD, EQUAL, RETURN, ALLOW, ERRNO = 0x20, 0x15, 0x06, 0x7FFF0000, 0x00050000


class Instruction(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8), ("k", ctypes.c_uint32)]


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(Instruction))]


instructions = [
    Instruction(LOAD, 0, 0, 0),
    Instruction(EQUAL, 3, 0, ADD_KEY),
    Instruction(EQUAL, 2, 0, REQUEST_KEY),
    Instruction(EQUAL, 1, 0, KEYCTL),
    Instruction(RETURN, 0, 0, ALLOW),
    Instruction(RETURN, 0, 0, ERRNO | int(sys.argv[1])),
]
program = Program(len(instructions), (Instruction * len(instructions))(*instructions))
libc = ctypes.CDLL(None, use_errno=True)
for arguments in [
    (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
    (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0),
]:
    if libc.prctl(*arguments) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
os.execvp(sys.argv[2], sys.argv[2:])
