//! Running averages: parameters that follow what each step finds, such as the statistics of a batch norm.

/// `running = (1 − momentum) · running + momentum · found`, both factors rounded to f32 once, the sum after the products.
///
/// # Panics
///
/// If there are not as many values of one as of the other.
pub fn running_average(running: &mut [f32], found: &[f32], momentum: f64) {
    assert_eq!(running.len(), found.len(), "there is one value for each");
    let (keep, take) = ((1.0 - momentum) as f32, momentum as f32);
    running.iter_mut().zip(found).for_each(|(running, found)| *running = keep * *running + take * found);
}

#[cfg(test)]
mod tests {
    use super::running_average;

    #[test]
    fn an_average_follows_by_its_momentum() {
        let mut running = [1.0, -2.0];
        running_average(&mut running, &[3.0, 2.0], 0.25);
        assert_eq!(running, [1.5, -1.0]);
        running_average(&mut running, &[7.0, 8.0], 1.0);
        assert_eq!(running, [7.0, 8.0]);
        running_average(&mut running, &[1.0, 1.0], 0.0);
        assert_eq!(running, [7.0, 8.0]);
    }
}
