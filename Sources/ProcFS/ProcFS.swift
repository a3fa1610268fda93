// ProcFS: /proc. Text that is made when it is read, about the machine and, through `ProcessInformation`, its processes.
