use super::*;

fn node(width: f64, height: f64) -> Node {
    Node { width, height, pin: Pin::None }
}

fn edge(from: usize, to: usize) -> Edge {
    Edge { from: End { node: from, x: 0.0 }, to: End { node: to, x: 0.0 } }
}

const SPACING: Spacing = Spacing { columns: 20.0, ranks: 30.0 };

fn random(rng: &mut fastrand::Rng) -> (Vec<Node>, Vec<Edge>) {
    let count = rng.usize(1..30);
    let nodes = (0..count).map(|_| node(20.0 + 100.0 * rng.f64(), 10.0 + 60.0 * rng.f64())).collect();
    let mut edges = Vec::new();
    for to in 1..count {
        for _ in 0..rng.usize(0..3) {
            edges.push(edge(rng.usize(0..to), to));
        }
    }
    (nodes, edges)
}

#[test]
fn nodes_do_not_touch() {
    let mut rng = fastrand::Rng::with_seed(11);
    for _ in 0..200 {
        let (nodes, edges) = random(&mut rng);
        let layout = layout(&nodes, &edges, SPACING);
        let placed: Vec<(Node, Point)> = nodes.iter().copied().zip(layout.nodes.iter().copied()).collect();
        for (i, (a, p)) in placed.iter().enumerate() {
            assert!(p.x >= -1e-9 && p.x + a.width <= layout.width + 1e-6);
            assert!(p.y >= 0.0 && p.y + a.height <= layout.height + 1e-6);
            for (b, q) in &placed[..i] {
                let aside = p.x + a.width + 19.0 <= q.x || q.x + b.width + 19.0 <= p.x;
                let above = p.y + a.height + 29.0 <= q.y || q.y + b.height + 29.0 <= p.y;
                assert!(aside || above, "{p:?} {a:?} {q:?} {b:?}");
            }
        }
    }
}

#[test]
fn edges_run_downwards_and_beside_nodes() {
    let mut rng = fastrand::Rng::with_seed(12);
    for _ in 0..200 {
        let (nodes, edges) = random(&mut rng);
        let layout = layout(&nodes, &edges, SPACING);
        for route in &layout.routes {
            assert!(route.windows(2).all(|w| w[0].y <= w[1].y), "{route:?}");
            // Runs are straight, and each bend's keeps off the nodes.
            for (i, run) in route.chunks_exact(2).enumerate() {
                assert!((run[0].x - run[1].x).abs() < 1e-9);
                if i == 0 || 2 * i + 2 == route.len() {
                    continue;
                }
                for (node, at) in nodes.iter().zip(&layout.nodes) {
                    let aside = run[0].x <= at.x || at.x + node.width <= run[0].x;
                    let above = run[1].y <= at.y || at.y + node.height <= run[0].y;
                    assert!(aside || above);
                }
            }
        }
    }
}

#[test]
fn a_chain_with_a_skip_is_straight() {
    let nodes = vec![node(80.0, 20.0); 5];
    let edges = [edge(0, 1), edge(1, 2), edge(2, 3), edge(3, 4), edge(0, 4)];
    let layout = layout(&nodes, &edges, SPACING);
    let skip = &layout.routes[4];
    assert!(skip[2..8].iter().all(|p| (p.x - skip[2].x).abs() < 0.5), "{skip:?}");
    assert!((1..3).all(|i| (layout.nodes[i].x - layout.nodes[i + 1].x).abs() < 0.5), "{layout:?}");
}

#[test]
fn a_crossing_that_can_be_avoided_is() {
    let nodes = vec![node(40.0, 20.0); 4];
    let layout = layout(&nodes, &[edge(0, 3), edge(1, 2)], SPACING);
    let left_first = layout.nodes[0].x < layout.nodes[1].x;
    assert_eq!(left_first, layout.nodes[3].x < layout.nodes[2].x);
}

#[test]
fn nothing_is_laid_out() {
    assert_eq!(layout(&[], &[], SPACING), Layout::default());
}

#[test]
fn pins_hold() {
    let mut nodes = vec![node(40.0, 20.0); 5];
    nodes[0].pin = Pin::Top;
    nodes[1].pin = Pin::Top;
    nodes[4].pin = Pin::Bottom;
    // 1 is read late, 4 made early.
    let edges = [edge(0, 2), edge(2, 3), edge(1, 3), edge(2, 4)];
    let layout = layout(&nodes, &edges, SPACING);
    assert!(layout.nodes[0].y == 0.0 && layout.nodes[1].y == 0.0);
    assert!((layout.nodes[4].y + 20.0 - layout.height).abs() < 1e-9);
}
