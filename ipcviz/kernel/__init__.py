"""What Linux says: ptrace, seccomp, /proc, descriptors, memory, semaphores, queues."""
