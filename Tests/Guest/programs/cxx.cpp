// C++: iostream, exceptions through several frames, RTTI, static initialisation, std containers, threads-safe statics.
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

struct Base {
  virtual ~Base() = default;
  virtual std::string name() const { return "base"; }
};
struct Derived : Base {
  std::string name() const override { return "derived"; }
};

struct Announced {
  const char *what;
  explicit Announced(const char *w) : what(w) { std::cout << "make " << what << std::endl; }
  ~Announced() { std::cout << "end " << what << std::endl; }
};

static Announced global("global");

[[gnu::noinline]] static int deep(int level) {
  Announced local(level % 2 ? "odd" : "even");
  if (level == 0) throw std::runtime_error("thrown from below");
  return deep(level - 1) + 1;
}

int main() {
  try {
    std::cout << deep(3) << '\n';
  } catch (const std::exception &error) {
    std::cout << "caught " << error.what() << '\n';
  }
  try {
    std::vector<int>().at(5);
  } catch (const std::out_of_range &) {
    std::cout << "out of range\n";
  }
  try {
    try {
      throw 42;
    } catch (int) {
      throw;
    }
  } catch (int value) {
    std::cout << "rethrown " << value << '\n';
  }
  std::unique_ptr<Base> object = std::make_unique<Derived>();
  std::cout << object->name() << ' ' << (dynamic_cast<Derived *>(object.get()) != nullptr) << '\n';
  std::map<std::string, int> counts;
  std::istringstream words("the quick fox the lazy dog the end");
  for (std::string word; words >> word;) counts[word]++;
  for (const auto &[word, count] : counts) std::cout << word << '=' << count << ' ';
  std::cout << '\n' << std::hex << 255 << std::dec << ' ' << 3.14159 << std::endl;
  static Announced once("static local");
  return 3;
}
