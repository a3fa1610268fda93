// Thread-local variables that three libraries share: initial-exec, global-dynamic and local-dynamic models.
extern _Thread_local int first_value;
extern _Thread_local char second_buffer[256];
int first_next(void);
const char *second_text(void);
int third_sum(void);
int chosen_implementation(void);
