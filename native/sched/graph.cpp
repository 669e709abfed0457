#include "sched/graph.hpp"

#include <cstring>
#include <string>
#include <unordered_map>

namespace mpsverify::sched {
namespace {

using What = Action::What;

// How a state was reached first: fibers cannot be copied, so a state is returned to by replay.
struct Origin {
    std::uint32_t parent;
    Action action;
};

std::vector<Action> actions(const Session& session) {
    std::vector<Action> found;
    const Config& config = session.config();
    for (std::uint8_t t = 0; t < config.threads; ++t) {
        if (!session.busy(t)) {
            for (std::uint8_t k = 0; k < kKinds; ++k) {
                for (std::uint8_t e = 0; e < config.encoders; ++e) {
                    if (session.can_dispatch(t, static_cast<Kind>(k), e)) {
                        found.push_back({What::dispatch, t, k, e});
                    }
                }
            }
            continue;
        }
        std::uint8_t blocks[kMaxBlocks];
        const std::uint32_t picks = session.choices(t, false, blocks);
        for (std::uint32_t i = 0; i < picks; ++i) found.push_back({What::pick, t, 0, blocks[i]});
        if (picks == 0) found.push_back({What::step, t, 0, 0});
    }
    for (std::uint8_t e = 0; e < config.encoders; ++e) {
        if (session.can_drop(e)) found.push_back({What::drop, kNone, 0, e});
    }
    return found;
}

}  // namespace

Snapshot snapshot(const Session& session) {
    Snapshot s;
    std::memset(&s, kNone, sizeof s);
    for (std::uint32_t e = 0; e < session.config().encoders; ++e) {
        s.impl[e] = session.impl(e);
        s.alive[e] = session.alive(e);
    }
    for (std::uint32_t b = 0; b < session.config().blocks; ++b) {
        s.owner[b] = session.owner(b);
        s.ready[b] = session.ready(b);
    }
    for (std::uint32_t t = 0; t < session.config().threads; ++t) {
        s.pc[t] = static_cast<std::uint8_t>(session.pc(t));
        if (!session.busy(t)) continue;
        s.kind[t] = session.kind(t);
        s.encoder[t] = session.encoder(t);
        s.block[t] = session.held_block(t);
    }
    return s;
}

Graph graph(Session& session, std::size_t max_states) {
    Graph result;
    std::vector<Origin> origins;
    std::unordered_map<std::string, std::uint32_t> known;
    std::vector<Action> path;

    const auto number = [&](std::uint32_t parent, const Action& action) {
        const Snapshot here = snapshot(session);
        std::string key(reinterpret_cast<const char*>(&here), sizeof here);
        const auto next = static_cast<std::uint32_t>(result.states.size());
        const auto [place, fresh] = known.emplace(std::move(key), next);
        if (fresh) {
            result.states.push_back(here);
            origins.push_back({parent, action});
        }
        return place->second;
    };
    const auto return_to = [&](std::uint32_t state) {
        path.clear();
        for (std::uint32_t s = state; s != 0; s = origins[s].parent) {
            path.push_back(origins[s].action);
        }
        session.reset();
        for (std::size_t i = path.size(); i-- > 0;) perform(session, path[i]);
    };

    session.reset();
    number(0, {What::drop, kNone, 0, 0});
    std::uint32_t state = 0;
    for (; state < result.states.size() && result.states.size() <= max_states; ++state) {
        return_to(state);
        bool moved = false;
        for (const Action& action : actions(session)) {
            if (moved) return_to(state);
            const Result outcome = perform(session, action);
            moved = outcome == Result::stepped;
            if (moved) {
                const Event event = session.trace().back();
                result.edges.push_back({state, number(state, action), event});
            } else if (outcome == Result::faulty) {
                Event event{};
                event.thread = action.thread;
                event.encoder = session.encoder(action.thread);
                event.step = kNone;
                event.block = session.fault(action.thread);
                result.edges.push_back({state, state, event});
            }
        }
    }
    result.complete = state == result.states.size();
    session.reset();
    return result;
}

}  // namespace mpsverify::sched
