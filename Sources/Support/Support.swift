// Support: containers and byte readers and writers that every other module may use. It imports nothing.
