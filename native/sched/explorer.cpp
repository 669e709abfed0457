#include "sched/explorer.hpp"

#include <chrono>
#include <cstring>

namespace mpsverify::sched {
namespace {

using What = Action::What;
using Clock = std::chrono::steady_clock;

struct Node {
    Action options[kMaxThreads * kMaxBlocks];
    std::uint16_t count = 0;
    std::uint16_t at = 0;
    std::uint32_t preemptions = 0;      // spent before this choice
    std::uint8_t last = kNone;          // the thread that went before
    bool last_enabled = false;          // and could go on
};

// Where each thread is in its program.
struct Progress {
    std::uint32_t next[kMaxThreads] = {};
};

class Explorer {
  public:
    Explorer(Session& session, const Program& program) : session_(session), program_(program) {}

    // The choices in this state, those of `last` first.  Whether a lock is free is found out by
    // trying, as the guard does.
    void options(Node& node, const Progress& progress) const {
        node.count = 0;
        const auto threads = static_cast<std::uint32_t>(program_.threads.size());
        if (node.last != kNone) add(node, node.last, progress);
        for (std::uint32_t t = 0; t < threads; ++t) {
            if (t != node.last) add(node, t, progress);
        }
    }

    Result take(const Action& action, Progress& progress) {
        const Result result = perform(session_, action);
        if (result == Result::stepped &&
            (action.what == What::dispatch || action.what == What::drop)) {
            ++progress.next[action.what == What::drop ? action.kind : action.thread];
        }
        return result;
    }

    void begin() {
        session_.reset();
        for (const Program::Operation& operation : program_.setup) {
            if (operation.drop) {
                session_.drop(operation.encoder);
                continue;
            }
            session_.dispatch(0, static_cast<Kind>(operation.kind), operation.encoder);
            while (session_.busy(0) && session_.step(0) == Result::stepped) {
            }
        }
    }

    // The schedule from the initial state to here, the set-up included.
    std::string text(const std::vector<Action>& run) const {
        Schedule schedule;
        Session& session = session_;
        session.reset();
        for (const Program::Operation& operation : program_.setup) {
            const Action start = operation.drop
                                     ? Action{What::drop, kNone, 0, operation.encoder}
                                     : Action{What::dispatch, 0, operation.kind,
                                              operation.encoder};
            perform(session, start);
            schedule.add(start);
            while (!operation.drop && session.busy(0)) {
                const Action step{What::step, 0, 0, 0};
                if (perform(session, step) != Result::stepped) break;
                schedule.add(step);
            }
        }
        for (const Action& action : run) schedule.add(action);
        return schedule.text();
    }

  private:
    void add(Node& node, std::uint32_t t, const Progress& progress) const {
        const auto thread = static_cast<std::uint8_t>(t);
        if (session_.busy(t)) {
            std::uint8_t blocks[kMaxBlocks];
            const std::uint32_t picks = session_.choices(t, true, blocks);
            for (std::uint32_t i = 0; i < picks; ++i) {
                node.options[node.count++] = {What::pick, thread, 0, blocks[i]};
            }
            if (picks == 0) node.options[node.count++] = {What::step, thread, 0, 0};
            return;
        }
        if (progress.next[t] >= program_.threads[t].size()) return;
        const Program::Operation& next = program_.threads[t][progress.next[t]];
        if (next.drop) {
            if (session_.can_drop(next.encoder)) {
                // Nobody's step in the model; `kind` remembers whose program it stands in.
                node.options[node.count++] = {What::drop, thread, thread, next.encoder};
            }
        } else if (session_.can_dispatch(t, static_cast<Kind>(next.kind), next.encoder)) {
            node.options[node.count++] = {What::dispatch, thread, next.kind, next.encoder};
        }
    }

    Session& session_;
    const Program& program_;
};

bool two_inside(const Session& session, std::uint32_t threads) {
    std::uint32_t inside = 0;
    for (std::uint32_t t = 0; t < threads; ++t) {
        if (session.pc(t) > Pc::dispatched) ++inside;
    }
    return inside > 1;
}

// What one run has shown.  `run` is what was done; attempts that failed at its end are added.
struct Ending {
    std::uint32_t faulty = 0;  // bit set of threads whose next step crashes at the end
    bool locked = false;       // a thread waits for a lock at the end
};

void account(Outcome& outcome, const Session& session, const Explorer& explorer,
             std::vector<Action> run, const Ending& ending, std::uint32_t faults, bool parallel,
             const std::uint32_t* attempts_at) {
    ++outcome.schedules;
    outcome.steps += run.size();
    outcome.skipped += session.skipped();
    outcome.unexplained += session.unexplained();
    if (parallel) ++outcome.parallel;
    const bool failed = session.failure() != nullptr;
    const bool deadlock = ending.locked && ending.faulty == 0;
    if (failed && outcome.failures++ == 0) outcome.failure = session.failure();
    for (std::size_t f = 0; f < fake::kFaults; ++f) {
        if ((faults >> f & 1u) == 0) continue;
        if (outcome.faults[f]++ != 0) continue;
        std::vector<Action> prefix(run.begin(),
                                   run.begin() + static_cast<std::ptrdiff_t>(attempts_at[f] >> 8));
        const auto thread = static_cast<std::uint8_t>(attempts_at[f] & 255u);
        if (thread != kNone) prefix.push_back({What::attempt, thread, 0, 0});
        outcome.first[f] = explorer.text(prefix);
    }
    if (deadlock && outcome.deadlocks++ == 0) outcome.deadlock = explorer.text(run);
}

// Remembers after how many actions, and by whose attempt, each fault was seen first in a run.
struct Sightings {
    std::uint32_t mask = 0;
    std::uint32_t at[fake::kFaults] = {};

    void look(const Session& session, std::size_t length, std::uint8_t thread) {
        const std::uint32_t fresh = session.faults() & ~mask;
        if (fresh == 0) return;
        for (std::size_t f = 0; f < fake::kFaults; ++f) {
            if ((fresh >> f & 1u) == 0) continue;
            const bool overlap = f == static_cast<std::size_t>(Fault::encoderOverlap);
            at[f] = static_cast<std::uint32_t>(length) << 8 | (overlap ? kNone : thread);
        }
        mask |= fresh;
    }
};

}  // namespace

std::string parse_program(const std::string& text, const Config& config, Program& program) {
    program = Program{};
    std::size_t at = 0;
    const bool has_setup = text.find('|') != std::string::npos;
    bool in_setup = has_setup;
    program.threads.emplace_back();
    while (at < text.size()) {
        const char c = text[at];
        if (c == '|' && in_setup) {
            in_setup = false;
            ++at;
            continue;
        }
        if (c == ',' && !in_setup) {
            program.threads.emplace_back();
            ++at;
            continue;
        }
        const char* kind = std::strchr(kKindLetters, c);
        const auto encoder =
            static_cast<std::uint32_t>(at + 1 < text.size() ? text[at + 1] - '0' : 255);
        if ((kind == nullptr && c != 'x') || encoder >= config.encoders) {
            return "program column " + std::to_string(at + 1) + ": '" + text.substr(at, 2) +
                   "' is no operation: write c0, e0, d0, k0 or x0 with an encoder below " +
                   std::to_string(config.encoders);
        }
        Program::Operation operation{c == 'x', 0, static_cast<std::uint8_t>(encoder)};
        if (kind != nullptr) operation.kind = static_cast<std::uint8_t>(kind - kKindLetters);
        (in_setup ? program.setup : program.threads.back()).push_back(operation);
        at += 2;
    }
    if (program.threads.size() > config.threads) {
        return "program has " + std::to_string(program.threads.size()) + " threads, this run " +
               std::to_string(config.threads);
    }
    return {};
}

Outcome explore(Session& session, const Program& program, const Limits& limits) {
    Outcome outcome;
    Explorer explorer(session, program);
    const auto threads = static_cast<std::uint32_t>(program.threads.size());
    const auto deadline = Clock::now() + std::chrono::duration<double>(limits.seconds);
    std::vector<Node> stack;
    std::vector<Action> run;
    for (;;) {
        Progress progress;
        Sightings seen;
        Ending ending;
        bool parallel = false;
        run.clear();
        explorer.begin();
        for (std::size_t depth = 0;; ++depth) {
            const bool replaying = depth < stack.size();
            if (!replaying) {
                stack.emplace_back();
                Node& fresh = stack.back();
                if (depth > 0) {
                    const Node& before = stack[depth - 1];
                    const Action& chosen = before.options[before.at];
                    fresh.last = chosen.thread;
                    fresh.preemptions = before.preemptions;
                    if (before.last_enabled && chosen.thread != before.last) ++fresh.preemptions;
                }
                explorer.options(fresh, progress);
            }
            Node& node = stack[depth];
            bool moved = false;
            while (node.at < node.count) {
                const Action action = node.options[node.at];
                const bool own = action.thread == node.last;
                if (!own && node.last_enabled && node.preemptions >= limits.preemptions) break;
                const Result result = explorer.take(action, progress);
                seen.look(session, run.size() + (result == Result::stepped ? 1 : 0),
                          action.thread);
                if (result == Result::stepped) {
                    if (own) node.last_enabled = true;
                    run.push_back(action);
                    moved = true;
                    break;
                }
                if (result == Result::faulty) ending.faulty |= 1u << action.thread;
                if (result == Result::blocked) ending.locked = true;
                for (std::uint16_t i = node.at; i + 1 < node.count; ++i) {
                    node.options[i] = node.options[i + 1];
                }
                --node.count;
            }
            if (!moved) break;
            ending = Ending{};
            parallel = parallel || two_inside(session, threads);
        }
        // The last node has no choice left: a complete run ends there, or a later sibling of an
        // earlier run was found impossible, which is no run of its own.
        const bool terminal = stack.back().at == 0;
        if (terminal) {
            account(outcome, session, explorer, run, ending, seen.mask, parallel, seen.at);
        } else if (seen.mask != 0) {
            // Its faults count, itself does not.
            account(outcome, session, explorer, run, Ending{1, false}, seen.mask, false, seen.at);
            --outcome.schedules;
        }
        stack.pop_back();
        while (!stack.empty()) {
            Node& node = stack.back();
            ++node.at;
            const bool exhausted =
                node.at >= node.count ||
                (node.options[node.at].thread != node.last && node.last_enabled &&
                 node.preemptions >= limits.preemptions);
            if (!exhausted) break;
            stack.pop_back();
        }
        if (stack.empty()) {
            outcome.complete = true;
            break;
        }
        if (outcome.schedules >= limits.schedules) break;
        if ((outcome.schedules & 255u) == 0 && Clock::now() >= deadline) break;
    }
    session.reset();
    return outcome;
}

Outcome walk(Session& session, const Program& program, std::uint64_t seed, std::uint64_t count,
             double seconds) {
    Outcome outcome;
    Explorer explorer(session, program);
    const auto threads = static_cast<std::uint32_t>(program.threads.size());
    const auto deadline = Clock::now() + std::chrono::duration<double>(seconds);
    std::uint64_t random = seed * 0x9E3779B97F4A7C15ull + 0x2545F4914F6CDD1Dull;
    const auto draw = [&](std::uint32_t below) {  // splitmix64
        std::uint64_t z = (random += 0x9E3779B97F4A7C15ull);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
        return static_cast<std::uint32_t>(((z ^ (z >> 31)) >> 32) % below);
    };
    std::vector<Action> run;
    while (outcome.schedules < count && Clock::now() < deadline) {
        Progress progress;
        Sightings seen;
        Ending ending;
        bool parallel = false;
        run.clear();
        explorer.begin();
        for (;;) {
            Node node;
            explorer.options(node, progress);
            ending = Ending{};
            bool moved = false;
            while (node.count > 0 && !moved) {
                const std::uint32_t at = draw(node.count);
                const Action action = node.options[at];
                const Result result = explorer.take(action, progress);
                moved = result == Result::stepped;
                seen.look(session, run.size() + (moved ? 1 : 0), action.thread);
                if (moved) run.push_back(action);
                if (result == Result::faulty) ending.faulty |= 1u << action.thread;
                if (result == Result::blocked) ending.locked = true;
                node.options[at] = node.options[--node.count];
            }
            if (!moved) break;
            parallel = parallel || two_inside(session, threads);
        }
        account(outcome, session, explorer, run, ending, seen.mask, parallel, seen.at);
    }
    session.reset();
    return outcome;
}

}  // namespace mpsverify::sched
