//! Layers of settings files become one typed profile in which every value knows its origin.
