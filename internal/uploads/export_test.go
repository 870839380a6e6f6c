package uploads

import "context"

// LockCharts is lockCharts.
func (s *Store) LockCharts(namespace string) (unlock func()) { return s.lockCharts(namespace) }

// TakeComparisons takes all turns for comparisons.
func (s *Store) TakeComparisons(ctx context.Context, namespace string) error {
	for range maxConcurrentComparisons {
		if err := s.comparisons.Acquire(ctx, namespace); err != nil {
			return err
		}
	}
	return nil
}
