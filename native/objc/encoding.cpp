#include "objc/encoding.hpp"

#include <cctype>
#include <cstring>

namespace mpsverify::objc {
namespace {

void skip_noise(const char*& at) {
    while (*at != '\0' && (std::isdigit(static_cast<unsigned char>(*at)) != 0 ||
                           std::strchr("rnNoORVA+-", *at) != nullptr)) {
        ++at;
    }
}

// Past one type, its nested ones included, without a word about it.
void skip_type(const char*& at) {
    skip_noise(at);
    if (*at == '^') {
        ++at;
        skip_type(at);
        return;
    }
    if (*at == '"') {
        for (++at; *at != '\0' && *at != '"'; ++at) {
        }
    }
    int depth = 0;
    do {
        if (*at == '\0') return;
        if (std::strchr("{([", *at) != nullptr) ++depth;
        if (std::strchr("})]", *at) != nullptr) --depth;
        ++at;
    } while (depth > 0);
}

void one_type(const char*& at, std::string& shape) {
    skip_noise(at);
    switch (*at) {
        case '\0':
            return;
        case 'v': shape += 'v'; ++at; return;
        case 'c': case 'C': case 'B': shape += '1'; ++at; return;
        case 's': case 'S': shape += '2'; ++at; return;
        case 'i': case 'I': shape += '4'; ++at; return;
        case 'l': case 'L':
            // Apple writes l for 32 bits whatever long is; GCC on 64 bits never writes it.
            shape += '4'; ++at; return;
        case 'q': case 'Q': shape += '8'; ++at; return;
        case 'f': shape += 'f'; ++at; return;
        case 'd': shape += 'd'; ++at; return;
        case '@':
            shape += 'p';
            ++at;
            if (*at == '?') ++at;  // a block
            if (*at == '"') {
                for (++at; *at != '\0' && *at != '"'; ++at) {
                }
                if (*at == '"') ++at;
            }
            return;
        case '#': case ':': case '*': shape += 'p'; ++at; return;
        case '^': shape += 'p'; skip_type(at); return;
        case '[': shape += 'p'; skip_type(at); return;
        case '{': {
            shape += '{';
            while (*at != '\0' && *at != '=' && *at != '}') ++at;
            if (*at == '=') ++at;
            while (*at != '\0' && *at != '}') {
                one_type(at, shape);
                skip_noise(at);
            }
            if (*at == '}') ++at;
            shape += '}';
            return;
        }
        default: shape += '?'; ++at; return;
    }
}

}  // namespace

std::string shape_of_encoding(const char* encoding) {
    std::string shape;
    for (const char* at = encoding; at != nullptr && *at != '\0';) one_type(at, shape);
    return shape;
}

}  // namespace mpsverify::objc
