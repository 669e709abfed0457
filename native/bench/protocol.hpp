// Requests and answers: a request is one line of words, `verb name=value ...`, on standard input;
// the answer is one JSON object on one line.  Whoever asks decides on order and repetitions.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>

namespace mpsverify::bench {

class Command {
  public:
    explicit Command(const std::string& line) {
        std::istringstream words(line);
        words >> verb;
        for (std::string word; words >> word;) {
            const std::size_t equals = word.find('=');
            if (equals == std::string::npos) throw std::runtime_error("not name=value: " + word);
            values_[word.substr(0, equals)] = word.substr(equals + 1);
        }
    }

    const std::string& text(const std::string& name) const {
        const auto found = values_.find(name);
        if (found == values_.end()) throw std::runtime_error(name + " is missing");
        return found->second;
    }

    std::uint32_t number(const std::string& name, std::uint32_t least, std::uint32_t most) const {
        const std::string& word = text(name);
        char* end = nullptr;
        const unsigned long long value = std::strtoull(word.c_str(), &end, 10);
        if (word.empty() || *end != '\0' || value < least || value > most) {
            throw std::runtime_error(name + "=" + word + " is not between " +
                                     std::to_string(least) + " and " + std::to_string(most));
        }
        return static_cast<std::uint32_t>(value);
    }

    double seconds(const std::string& name) const {
        const std::string& word = text(name);
        char* end = nullptr;
        const double value = std::strtod(word.c_str(), &end);
        if (word.empty() || *end != '\0' || !(value >= 0 && value <= 3600)) {
            throw std::runtime_error(name + "=" + word + " is not a number of seconds");
        }
        return value;
    }

    std::string verb;

  private:
    std::map<std::string, std::string> values_;
};

inline std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
    return out + '"';
}

// Answers requests until there are no more.  A request that cannot be met is answered with
// {"error": ...}.
template <class Answer>
void serve(Answer&& answer) {
    for (std::string line; std::getline(std::cin, line);) {
        std::string reply;
        try {
            reply = answer(Command(line));
        } catch (const std::exception& error) {
            reply = "{\"error\": " + quoted(error.what()) + "}";
        }
        std::printf("%s\n", reply.c_str());
        std::fflush(stdout);
    }
}

}  // namespace mpsverify::bench
