#include "sched/schedule.hpp"

#include <cstring>

namespace mpsverify::sched {
namespace {

using What = Action::What;

const char* describe(Result result) {
    switch (result) {
        case Result::stepped: return "is a step that can be taken";
        case Result::blocked: return "waits for a lock";
        case Result::starved: return "waits for a free block";
        case Result::faulty: return "is a step that crashes";
        case Result::impossible: return "is not possible in this state";
    }
    return "";
}

}  // namespace

Result perform(Session& session, const Action& action) {
    switch (action.what) {
        case What::dispatch:
            return session.dispatch(action.thread, static_cast<Kind>(action.kind),
                                    action.encoder);
        case What::step:
        case What::attempt:
            return session.step(action.thread);
        case What::pick:
            return session.step(action.thread, action.encoder);
        case What::drop:
            return session.drop(action.encoder);
    }
    return Result::impossible;
}

void Schedule::add(const Action& action) {
    const char thread = static_cast<char>('A' + action.thread);
    if (action.what == What::step) {
        if (last_ == action.thread) {
            text_.resize(text_.size() - digits_);
        } else {
            text_ += thread;
            count_ = 0;
        }
        const std::string digits = std::to_string(++count_);
        text_ += digits;
        digits_ = digits.size();
        last_ = action.thread;
        return;
    }
    last_ = kNone;
    switch (action.what) {
        case What::dispatch:
            text_ += thread;
            text_ += kKindLetters[action.kind];
            text_ += std::to_string(action.encoder);
            break;
        case What::pick:
            text_ += thread;
            text_ += 'p';
            text_ += std::to_string(action.encoder);
            break;
        case What::attempt:
            text_ += thread;
            text_ += '!';
            break;
        default:
            text_ += 'x';
            text_ += std::to_string(action.encoder);
            break;
    }
}

std::string run_schedule(Session& session, const std::string& text) {
    std::size_t at = 0;
    const auto number = [&](std::uint32_t below, std::uint32_t& value) {
        const std::size_t from = at;
        value = 0;
        while (at < text.size() && text[at] >= '0' && text[at] <= '9' && value < 1000000) {
            value = value * 10 + static_cast<std::uint32_t>(text[at++] - '0');
        }
        return at > from && value < below;
    };
    const Config& config = session.config();
    while (at < text.size()) {
        const std::size_t from = at;
        const auto wrong = [&](const std::string& why) {
            return "schedule column " + std::to_string(from + 1) + ": '" +
                   text.substr(from, (at > from ? at : from + 1) - from) + "' " + why;
        };
        std::uint32_t value = 0;
        if (text[at] == ' ') {
            ++at;
            continue;
        }
        Action action{What::step, 0, 0, 0};
        std::uint32_t times = 1;
        if (text[at] == 'x') {
            ++at;
            if (!number(config.encoders, value)) return wrong("names no encoder of this run");
            action = {What::drop, kNone, 0, static_cast<std::uint8_t>(value)};
        } else {
            const auto thread = static_cast<std::uint32_t>(text[at] - 'A');
            if (thread >= config.threads) return wrong("names no thread of this run");
            action.thread = static_cast<std::uint8_t>(thread);
            ++at;
            const char next = at < text.size() ? text[at] : '\0';
            const char* kind = next == '\0' ? nullptr : std::strchr(kKindLetters, next);
            if (kind != nullptr) {
                ++at;
                if (!number(config.encoders, value)) return wrong("names no encoder of this run");
                action.what = What::dispatch;
                action.kind = static_cast<std::uint8_t>(kind - kKindLetters);
                action.encoder = static_cast<std::uint8_t>(value);
            } else if (next == 'p') {
                ++at;
                if (!number(config.blocks, value)) return wrong("names no block of this run");
                action.what = What::pick;
                action.encoder = static_cast<std::uint8_t>(value);
            } else if (next == '!') {
                ++at;
                action.what = What::attempt;
            } else if (number(1000000, value) && value > 0) {
                times = value;
            } else {
                return wrong("is no step: write Ac0, A3, Ap1, A! or x0");
            }
        }
        for (std::uint32_t i = 0; i < times; ++i) {
            const Result result = perform(session, action);
            if ((result == Result::stepped) == (action.what == What::attempt)) {
                return wrong(describe(result));
            }
        }
    }
    return {};
}

}  // namespace mpsverify::sched
