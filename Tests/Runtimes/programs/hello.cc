#include <iostream>
#include <map>
#include <string>
#include <stdexcept>
#include <thread>
#include <vector>
int main() { std::map<std::string,int> m{{"a",1},{"b",2}}; for (auto &[k,v] : m) std::cout << k << v << "\n";
 std::vector<std::thread> t; int s[4]{}; for (int i=0;i<4;i++) t.emplace_back([&s,i]{s[i]=i*i;}); for (auto&x:t) x.join();
 std::cout << s[0]+s[1]+s[2]+s[3] << std::endl;
 try { throw std::runtime_error("thrown"); } catch (std::exception &e) { std::cout << e.what() << "\n"; return 3; } }
