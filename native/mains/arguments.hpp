// The arguments of the harness programs: `name=value`, each given once or left at its default.
#pragma once

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <type_traits>
#include <vector>

namespace mpsverify {

class Arguments {
  public:
    Arguments(const char* program, int argc, char** argv) : program_(program) {
        for (int i = 1; i < argc; ++i) given_.push_back({argv[i], false});
    }

    // A number from `least` to `most`; a Boolean is 0 or 1.
    template <class T>
    void number(const char* name, T& into, double least, double most) {
        static_assert(std::is_arithmetic_v<T>);
        const std::string value = take(name);
        if (value.empty()) return;
        char* end = nullptr;
        const double number = std::strtod(value.c_str(), &end);
        const bool whole = std::is_floating_point_v<T> || number == std::floor(number);
        if (*end != '\0' || !whole || !(number >= least && number <= most)) {
            reject(name, value);
        } else {
            into = static_cast<T>(number);
        }
    }
    void flag(const char* name, bool& into) { number(name, into, 0, 1); }

    // The row of a table whose `name` is given.
    template <class Row, std::size_t count>
    void row(const char* name, const Row (&table)[count], const Row*& into) {
        const std::string value = take(name);
        if (value.empty()) return;
        for (const Row& row : table) {
            if (value == row.name) {
                into = &row;
                return;
            }
        }
        reject(name, value);
    }

    void text(const char* name, std::string& into) {
        const std::string value = take(name);
        if (!value.empty()) into = value;
    }

    // After all have been asked for: whether every one made sense; otherwise the first that did
    // not is on stderr.
    bool finish() {
        for (const Given& g : given_) {
            if (!g.known && bad_.empty()) bad_ = g.argument;
        }
        if (!bad_.empty()) {
            std::fprintf(stderr, "%s: bad argument '%s'\n", program_, bad_.c_str());
        }
        return bad_.empty();
    }

  private:
    struct Given {
        std::string argument;
        bool known;
    };

    // The value that is given for a name, or nothing.
    std::string take(const std::string& name) {
        std::string value;
        for (Given& g : given_) {
            if (g.argument.compare(0, name.size() + 1, name + '=') != 0) continue;
            value = g.argument.substr(name.size() + 1);
            g.known = !value.empty();
        }
        return value;
    }
    void reject(const std::string& name, const std::string& value) {
        if (bad_.empty()) bad_ = name + '=' + value;
    }

    const char* program_;
    std::vector<Given> given_;
    std::string bad_;
};

}  // namespace mpsverify
