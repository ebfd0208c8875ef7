// The helper process: forks a child for everything that must not happen inside Node.
int main() { return 0; }
